"""Behavior: one row, one question, one answer: what will this listener do next?

Each file is a ``TabularModel``: what its rows and labels are; the engine does the rest. ``skip_model`` asks of a play
whether it is broken off, ``churn_model`` of a listener whether they are about to leave.
"""
