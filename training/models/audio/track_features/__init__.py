"""Fits what ``transforms.pure.audio.vocabulary`` cannot measure, from open data, and writes it as one small archive.

``spotify_rows`` has real values of Spotify and the kinds of music of their artists; ``genre_clips`` real sound by
kind; ``clips`` sounds with and without a voice, and ``crowd`` those that an audience hears. They never meet in one
row: no open data set has both a sound and its Spotify values. ``fit`` learns from each alone, ``train`` writes
``track_features.npz``, ``evaluation`` measures on artists, speakers and songs that were held out.
"""
