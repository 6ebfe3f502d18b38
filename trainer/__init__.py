"""Training: the spec, the recipes that follow it, and the job that runs them."""
