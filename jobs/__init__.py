"""Long work as a directory plus a detached process. Knows nothing of machine learning or of the page that shows it."""
