"""Attacks on recommenders, one a file: each has an ``ATTACK``, and no list names them (``find``).

An attack takes what its maker knows (``known.Known``), the target track and the number of fakes, and returns the tracks
that each fake plays, in order. It never changes what it is given; the same generator gives the same fakes.
"""
