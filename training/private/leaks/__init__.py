"""Attacks that measure what a model gives away about the people it learned from, or whom it describes.

- *Was this person in the training data?* ``membership`` (loss threshold), ``lira`` (likelihood ratio with shadow
  models); ``halves`` draws the worlds; ``people_sums`` and ``rank_one`` make shadow models of sums over people cheap.
- *Is the stated ε true?* ``canary`` (many runs) and ``one_run`` (one run) bound ε from below; ``private_sums`` and
  ``private_ease`` run mechanisms with canaries.
- *What did a person play?* ``reconstruction`` (from gradients), ``parallel_rows`` (from sums of a few people's
  gradients), ``differencing`` (from two published sums, and from the weights of EASE).
- *Who is it?* ``attributes`` (from vectors).

All of them are functions over arrays and callables. ``subject`` and ``subjects`` apply them to the models of a data
folder, ``run`` records what was measured, and cards show it. An attack gives a lower bound: what it does not find may
be there.
"""
