"""Attacks by gradient: the opponent knows the model. They need the extra ``deep``."""
