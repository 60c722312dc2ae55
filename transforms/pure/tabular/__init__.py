"""Features of a service as the matrix that a model of rows eats: the same in training and in serving."""
