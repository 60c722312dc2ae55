"""Experiments while they run: who is in, what they get, and the record of it.

``assignment`` is a pure function of the declaration (``feature_repo.experiments``) and the listener; ``running``
follows the file of declarations and applies them to requests; ``exposures`` writes down who was shown what, at the
moment of the decision; ``bandit`` lets rewards move the weights. What came of it is told by ``python -m training
experiment NAME``.
"""
