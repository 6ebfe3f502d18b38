"""The page: one module per tab, and what they share. Only this folder and app.py import gradio."""
