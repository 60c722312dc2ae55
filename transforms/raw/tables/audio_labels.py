"""Human labels of the sound of tracks: genre, mood and instruments."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column


class AudioLabels(Timed):
    """One row per track and change of its labels; labels that nobody gave are null.

    ``source`` is where the sound comes from: a recorder, a record company, a collection.
    """

    track_id = key_column()
    genre = dy.String(nullable=True)
    mood = dy.String(nullable=True)
    valence = dy.Float64(nullable=True, min=0, max=1)
    arousal = dy.Float64(nullable=True, min=0, max=1)
    instruments = dy.List(dy.String(nullable=False), nullable=True)
    source = dy.String(nullable=True)


AUDIO_LABELS = RawTable("audio_labels", AudioLabels, key=("track_id",), changes_slowly=True)
