"""``user_behavior_forecaster``: plays of a listener in the next week, and the chance that they have left.

``rows`` builds spines, inputs and labels, ``model`` has the boosted models, ``problem`` is the training data for a
search of their parameters, and ``run`` trains, evaluates, registers and forecasts.
"""
