"""One file a model, or type of models: what is attacked of it, and by which attacks."""
