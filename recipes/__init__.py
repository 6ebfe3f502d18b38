"""Ready-made end-to-end examples, one folder each: a generator of rows, specs and an evaluation task."""
