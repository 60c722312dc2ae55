"""Sums over people that a run can count, one a file: the tables that everybody sends, and how a silo counts them."""
