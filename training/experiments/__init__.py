"""What came of an experiment: from exposures and features to intervals and a verdict.

``metrics`` makes one number a listener of exposures and point-in-time features; ``sample_ratio`` asks whether the arms
have the sizes that they should have; ``cuped`` takes out what was known before; ``fixed`` and ``sequential`` compare
arms, at an end that was chosen before or at any time; ``power`` says how long it takes. ``analysis`` puts them
together, ``report`` shows it. The statistics are those of scipy and statsmodels; only what they do not have (confidence
sequences, CUPED, ratios) is here.
"""
