"""The report of an evaluation: one offline HTML file, Markdown and JSON."""

from evaluation.report.page import render
from evaluation.report.write import write_report

__all__ = ["render", "write_report"]
