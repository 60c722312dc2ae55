"""Performers."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column


class Artists(Timed):
    """One row per artist and per change of the name."""

    artist_id = key_column()
    name = dy.String(nullable=True)


ARTISTS = RawTable("artists", Artists, key=("artist_id",), changes_slowly=True)
