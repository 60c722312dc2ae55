"""Models of listener behaviour, one binary label per row.

Each file declares a ``TabularModel``: its rows and labels; the engine does the rest. ``skip_model`` predicts whether a
play is broken off, ``churn_model`` whether a listener is about to leave.
"""
