"""Search for the learner and parameters that predict the label best on past periods."""
