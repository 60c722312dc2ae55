"""Ids of tracks elsewhere, such as those of films at IMDb."""

from transforms.raw.table import RawTable, Timed, key_column


class TrackLinks(Timed):
    """One row per track and site; ``id`` is text, since zeros may lead it."""

    track_id = key_column()
    site = key_column()
    id = key_column()


TRACK_LINKS = RawTable("track_links", TrackLinks, key=("track_id", "site"), changes_slowly=True)
