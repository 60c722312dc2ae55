"""Robustness: how a model's answers hold when its inputs are changed on purpose, from weak to strong.

A *target* is a model with inputs and a measure (``target``). An *attack* changes inputs by a strength, one a file of
``training.robustness.attacks``; a *subject* makes the targets of a model, one a file of
``training.robustness.subjects``.
Both are found by themselves. ``measure`` turns them into *curves*: the measure against the strength, on the same units,
with 95 % intervals by bootstrap over clusters.

The model that is attacked is the one whose test was measured: fitted to the training part alone where the served
version was fitted to all rows afterwards, so that no unit was learned from.
"""
