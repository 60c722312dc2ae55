"""Sums over people, as exact integers: what the models in closed form are solved from.

A statistic counts the rows of any people (``count``) as ``Sums``: tables of int64. Weights are fixed-point numbers
(``fixed_point``), so that the sums of people can be added in any order and a person subtracted again, bit for bit; a
bound that is checked proves that no cell overflows. One statistic a file: ``gram`` (EASE, item-kNN), ``walks``
(RP3beta), ``follows`` (transitions), ``play_counts`` (popularity, segments, outcomes) of arrays; ``tallies`` of
n-grams and of the texts that have a term. ``solve`` inverts, in one thread. ``kept`` are the sums of a version,
beside its bundle.
"""
