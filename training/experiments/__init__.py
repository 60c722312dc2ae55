"""Analysis of experiments: from exposures and features to intervals and a verdict.

``metrics`` computes one number per listener from exposures and point-in-time features; ``sample_ratio`` tests the sizes
of the arms; ``cuped`` reduces variance with values from before the experiment; ``fixed`` and ``sequential`` compare
arms, at an end that was chosen before or at any time; ``guardrails`` judges what must not get worse; ``segments``
compares effects between listeners; ``power`` computes the needed sizes. ``analysis`` combines them,
``report`` shows the result. The statistics are those of scipy and statsmodels; only what they lack (confidence
sequences, CUPED, ratios) is implemented here.
"""
