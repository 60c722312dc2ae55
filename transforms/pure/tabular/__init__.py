"""The input matrix of tabular models from the features of a service: the same in training and in serving."""
