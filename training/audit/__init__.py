"""Skew between training and serving: served values beside those that a training set has.

``transforms.logged.lookups`` reads the log of online lookups (``inference.monitoring.lookups`` writes it); ``replay``
pulls the same keys and moments through the training SDK and compares value for value, and compares the distributions of
served and training values with ``transforms.pure.drift``; ``report`` shows it.
"""
