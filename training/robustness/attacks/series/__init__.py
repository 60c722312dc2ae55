"""Attacks on the history of a series before a forecast. An input is an array (t,), the newest value last."""
