"""MovieLens of every size (GroupLens): ratings with real timestamps stand in for plays.

A film is a track and a rating is a play; up to 2 stars count as skipped. MovieLens names no makers, so the film's set
of genres stands in for the artist, so that artist features carry taste. Releases number their users, and the oldest
its films, each in its own way: ids begin with the release (``ml-25m:1``), those of MovieLens 100k with ``ml:``.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from transforms.raw.files.describe import describe
from transforms.raw.files.members import Member, PassedOver, members
from transforms.raw.importers.format import Format
from transforms.raw.importers.movielens_100k import read_100k
from transforms.raw.importers.movielens_releases import FILES, Release, release_name
from transforms.raw.ingest import Batch

_OF_100K = ("u.data", "u.item", "u.genre", "u.user")


def read(path: Path) -> Iterator[Batch | PassedOver]:
    """Yields the films, listeners and ratings of every release in a path."""
    folders: dict[str, dict[str, Member]] = {}
    for member in members(MOVIELENS.check(path)):
        parent = str(PurePosixPath(member.name).parent)
        folders.setdefault("" if parent == "." else parent, {})[member.file_name] = member
    is_found = False
    for folder, files in folders.items():
        if any(name in files for name in _OF_100K):
            yield from read_100k(files, path / folder, MOVIELENS)
            used = {name for name in files if name.startswith("u.")}
        elif "ratings.csv" in files or "ratings.dat" in files:
            yield from Release(release_name(folder, path, set(files)), files).read()
            used = {name for name in files if name in FILES}
        else:
            used = set()
        is_found |= bool(used)
        yield from (PassedOver(files[name].name, _why_not(files[name])) for name in sorted(files.keys() - used))
    if not is_found:
        raise MOVIELENS.mismatch(f"no file u.data, ratings.dat or ratings.csv in {path}")


def _why_not(member: Member) -> str:
    return "relevance of tags by a model, no ratings" if member.stem.startswith("genome") else describe(member)


MOVIELENS = Format(
    "movielens",
    "a folder or zip of MovieLens: u.data, u.item and u.genre of 100k, or ratings and movies (.dat or .csv) of another",
    read,
)
