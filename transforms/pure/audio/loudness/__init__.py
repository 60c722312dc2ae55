"""Loudness of a sound by ITU-R BS.1770-4, EBU R128 and EBU Tech 3341 and 3342.

``meter.LoudnessMeter`` takes a sound block by block, so that hours need hardly more memory than seconds, and gives the
same result for any division into blocks. ``layouts`` weighs the channels, ``k_weighting`` has the filters, ``gating``
and ``loudness_range`` are what is made of the loudness of windows, ``true_peak`` is the peak between the samples, and
``target`` and ``replay_gain`` are what a service or a player does with the result.
"""
