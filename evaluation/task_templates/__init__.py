"""Task files to start from; `evaluation.task_template` copies them."""
