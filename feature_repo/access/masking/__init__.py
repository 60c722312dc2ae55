"""Kinds of masks, one a module: what takes the place of a value that a role does not see."""
