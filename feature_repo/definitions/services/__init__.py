"""Feature services of music, one module per use: the features that each version of a model takes."""
