"""Attacks on what one listener played: plays that are left out, or that are not theirs.

An input is an array (k, 2): number of a track or another item, and its weight, in order of time. Attacks by many
invented listeners at once change what a recommender learns from; such a measure plugs in as an attack of a kind of
target of its own.
"""
