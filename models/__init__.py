"""What a model is: reference, embedded default, hardware it runs on, chat template, and the two training backends."""
