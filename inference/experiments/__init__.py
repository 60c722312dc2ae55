"""Running experiments: assignment of listeners to arms, settings of requests, and the log of exposures.

``assignment`` is a pure function of the declaration (``feature_repo.experiments``) and the listener; ``running``
follows the file of declarations and applies them to requests; ``exposures`` logs which arm a listener was shown, at the
moment of the decision; ``bandit`` adjusts the weights by rewards. ``refrain model experiment NAME`` evaluates an
experiment.
"""
