"""Search: which learner, and which of its parameters, tell the label of a model of rows best on past periods."""
