"""Human labels of the sound of tracks: genre, mood and instruments."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column


class AudioLabels(Timed):
    """One row per track and change of its labels; labels that nobody gave are null."""

    track_id = key_column()
    genre = dy.String(nullable=True)
    mood = dy.String(nullable=True)
    valence = dy.Float64(nullable=True, min=0, max=1)
    arousal = dy.Float64(nullable=True, min=0, max=1)
    instruments = dy.List(dy.String(nullable=False), nullable=True)


AUDIO_LABELS = RawTable("audio_labels", AudioLabels, key=("track_id",), changes_slowly=True)
