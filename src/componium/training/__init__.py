"""Training: a model and a corpus in, a model that has learned out."""
