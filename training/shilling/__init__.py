"""Manipulation of recommenders by fake accounts (shilling): who might do it, how it is seen, what it is worth to them.

``attacks`` makes fake profiles, one attack a file, that push a track (or bury its rivals); ``known`` is what an
attacker knows who has read the model; ``profiles`` adds the fakes to plays; ``exposure`` measures what it moved.
``signals`` says what is unusual about a profile, one signal a file; ``detection`` makes of them who is left out of
learning, calibrated on the data at hand without labels; ``reasons`` says why, in words, for a person who reviews it.
"""
