"""Compares our models with those of the field, each in an environment of its own, on one split.

``contests/`` has one task a file: how its split is made from a public data set and written as Parquet, what we answer,
and how any answers are scored, case by case. ``rivals/<task>/`` has one program a file that imports nothing of ours: it
reads the split, and writes its answers as Parquet; ``REQUIREMENTS`` in it says what it needs. ``environments`` makes
the environment with pip from ``rivals.lock`` and keeps it in the cache folder. A rival that cannot be installed or that
fails is named on the page, and the others go on. All answers are scored by the same code, here.
"""
