"""Last.fm: what people export of their own scrobbles, logs of players, and data sets of many listeners.

Last.fm has no export of its own; those of several tools are read, whatever the files' names: CSV with or without a
header (``lastfm_csv``), pages of the API as JSON (``lastfm_json``), ``.scrobbler.log`` of Rockbox and other players
(``lastfm_log``), Last.fm 1K and 360K (``lastfm_celma``), and the folder of HetRec 2011 (``lastfm_hetrec``). Tracks and
artists are named by their names: ids of MusicBrainz are there for a part of the rows of a part of the layouts.
"""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from feature_repo.errors import InputError
from transforms.raw.files.describe import describe
from transforms.raw.files.members import Member, PassedOver, members
from transforms.raw.files.records import first_object
from transforms.raw.files.text import encoding_of
from transforms.raw.importers.format import USER, Format
from transforms.raw.importers.lastfm_celma import Profiles, celma_reader
from transforms.raw.importers.lastfm_csv import csv_layout, read_csv
from transforms.raw.importers.lastfm_hetrec import is_hetrec, read_hetrec
from transforms.raw.importers.lastfm_json import is_pages, listener_of_pages, read_pages
from transforms.raw.importers.lastfm_log import is_log, read_log
from transforms.raw.importers.place_listener import place_listener
from transforms.raw.ingest import Batch

_HEAD = 1 << 16


class _Source(NamedTuple):
    """How a member is read.

    Attributes:
        read: function that yields its batches for a listener's id.
        name: the listener's name in it or in its file name; empty if there is none.
        is_of_many: whether its rows name their listeners.
    """

    read: Callable[[Member, str], Iterator[Batch]]
    name: str = ""
    is_of_many: bool = False


def read(path: Path, *, user: str | None = None) -> Iterator[Batch | PassedOver]:
    """Yields the scrobbles of a path, file after file.

    Args:
        path: file, folder or archive.
        user: id of the only listener; by default what the export says.

    Raises:
        InputError: with a ``user``, the scrobbles are of several people.
    """
    if is_hetrec(LASTFM.check(path)):
        _refuse_many(path, user, ["HetRec 2011"])
        yield from read_hetrec(path)
        return
    profiles = Profiles(path)
    listed = list(members(path))
    sources = {member.name: source for member in listed if (source := _source(member, profiles))}
    _refuse_many(path, user, [name for name, source in sources.items() if source.is_of_many])
    names = {source.name for source in sources.values()} - {""}
    if len(names) > 1:
        _refuse_many(path, user, sorted(names))
    named = _names_by_folder(sources)

    def read_member(member: Member) -> Iterator[Batch]:
        source = sources[member.name]
        name = source.name or named.get(str(PurePosixPath(member.name).parent), "")
        listener = f"lastfm:{name}" if name else place_listener("lastfm", path, member)
        yield from source.read(member, user or listener)

    def why_not(member: Member) -> str:
        return "" if member.name in sources else describe(member)

    yield from LASTFM.each_member(path, read_member, why_not, listed=listed)


def _source(member: Member, profiles: Profiles) -> _Source | None:
    """How a member is read; None if it holds no scrobbles."""
    if member.damage:
        return None
    try:
        with member.open() as handle:
            data = handle.read(_HEAD)
        head = data.decode(encoding_of(data), "replace").lstrip("\ufeff")
        if is_log(head):
            return _Source(read_log)
        if reader := celma_reader(head, profiles):
            return _Source(reader, is_of_many=True)
        if head.lstrip().startswith(("[", "{")):
            first = first_object(member)
            return _Source(read_pages, listener_of_pages(member, first)) if is_pages(first) else None
        layout = csv_layout(member, head)
    except InputError:
        return None
    return _Source(lambda source, listener: read_csv(source, layout, listener), layout.name) if layout else None


def _names_by_folder(sources: dict[str, _Source]) -> dict[str, str]:
    """Folder → the only name that exports in it have, which is that of the others in it too."""
    names: dict[str, set[str]] = {}
    for member_name, source in sources.items():
        if source.name:
            names.setdefault(str(PurePosixPath(member_name).parent), set()).add(source.name)
    return {folder: next(iter(listeners)) for folder, listeners in names.items() if len(listeners) == 1}


def _refuse_many(path: Path, user: str | None, listeners: list[str]) -> None:
    if user and listeners:
        raise InputError(
            expected="with --user, the scrobbles of one person",
            found=f"those of several in {path}: {', '.join(listeners[:5])}",
            next_command=f"refrain import lastfm {path}  (each listener has an id)",
        )


LASTFM = Format(
    "lastfm",
    "scrobbles of Last.fm as CSV or as JSON of its API, .scrobbler.log of a player, or the data sets 1K, 360K or "
    "HetRec 2011 (a folder)",
    read,
    options=USER,
)
