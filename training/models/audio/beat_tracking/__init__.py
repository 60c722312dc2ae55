"""Trains the network that finds beats, ``transforms.pure.audio.beat_network``, on arrangements whose beats are known.

Takes a soundfont and nothing else; returns the weights as an npz file. Styles, notes, sound and training are a module
each.
"""
