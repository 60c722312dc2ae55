"""Differential privacy: what is published hardly depends on whether one person is in the data.

The unit is a **person**: two data sets are neighbours if one has the rows of one more person. What a person adds to a
sum is bounded (``contributions``), so a sum of integers has a known sensitivity; it is published with integer noise
(``noise``) that was paid for from a budget (``ledger``), and carries what was guaranteed (``statement``).

One mechanism a file, each takes integers and the largest share of one person and returns integers: ``noise`` (discrete
Gaussian), ``laplace`` (discrete Laplace), ``exponential`` (the best of some candidates), ``threshold`` (keys that are
not known beforehand). Costs are in zero-concentrated differential privacy (``zcdp``): they add. ``gaussian`` has the
noise of a single Gaussian release. All randomness is the operating system's; a seeded generator is for tests alone.
"""
