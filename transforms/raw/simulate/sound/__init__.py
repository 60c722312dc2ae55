"""Synthesized songs with known tempo, beats, key, genre, mood and instruments."""
