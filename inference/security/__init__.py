"""Who may do what: keys, tokens of an identity provider, rates and quotas, and a record of what was done.

``keys`` and ``tokens`` tell who calls (a ``Caller``), ``limits`` how often they may, ``audit`` writes down what they
did. ``inference.api.access`` asks all of them before anything of a request is read.
"""
