"""Skew between training and serving: what was served, replayed as a training set would have it.

``transforms.logged.lookups`` reads the log of online lookups (``inference.monitoring.lookups`` writes it); ``replay``
pulls the same keys and moments through the training SDK and compares, value for value, and by ``transforms.pure.drift``
what was served with what models were trained on; ``report`` shows it.
"""
