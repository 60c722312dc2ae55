"""Looks for an id in every file of the data folder and in the online store, after decoding what is packed.

Searched are the bytes of every file as they are, and what its format holds once it is decoded (``contents``), members
of archives included. An id is looked for in each of its ``spellings``.
"""

import mmap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feature_repo.command_line import Progress, silent
from feature_repo.discovery import definitions
from feature_repo.home import Home
from refrain.person.contents.reader import ANY_KEY, SEPARATOR, Part, Reader, values_part
from refrain.person.contents.redis_values import values
from refrain.person.spellings import Spelling, is_distinctive, named_value, spellings

READERS: tuple[Reader, ...] = tuple(definitions("refrain.person.contents", Reader).values())
ONLINE = "the online store"
_DEEPEST = 6
"""Archives within archives that are opened."""


@dataclass(frozen=True)
class Trace:
    """Where an id is.

    Attributes:
        path: file, relative to the folder that was searched; ``ONLINE`` for values of a server elsewhere.
        place: where in the file; empty for its bytes or its name.
        form: how it is spelled there.
        count: number of times.
        is_certain: whether it is this id, and not a part of a longer one that stands beside other values.
    """

    path: str
    place: str
    form: str
    count: int
    is_certain: bool


@dataclass(frozen=True)
class Scan:
    """What a search found.

    Attributes:
        traces: where the id is, in the order of the files.
        unread: file → why its format could not be decoded; its bytes were searched.
        files: number of files.
        size: bytes that were searched, decoded ones included.
        is_distinctive: whether the id was looked for everywhere; else only as a value of its key.
    """

    traces: list[Trace]
    unread: dict[str, str]
    files: int
    size: int
    is_distinctive: bool

    @property
    def certain(self) -> list[Trace]:
        """The traces that are surely of this id."""
        return [trace for trace in self.traces if trace.is_certain]


def scan(home: Home, key: str, id_: str, *, server: Any = None, progress: Progress = silent) -> Scan:
    """Look for an id in the data folder of a tenant.

    Args:
        home: the data folder; what belongs to other tenants alone is passed over.
        key: join key of the id, such as ``user_id``.
        id_: the id.
        server: connection of redis-py to an online store outside the folder.
        progress: called with the bytes searched of those there are.

    >>> scan(Home.from_env(), "user_id", "u000042").certain                        # doctest: +SKIP
    """
    return scan_files(home.root, files_of(home), key, [id_], server=server, progress=progress)[id_]


def files_of(home: Home) -> list[Path]:
    """The files of a data folder, without those that belong to other tenants alone."""
    paths = (path for path in home.root.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in paths if not _is_of_others(path.relative_to(home.root), home.tenant))


def scan_files(
    root: Path, paths: Sequence[Path], key: str, ids: Sequence[str], *, server: Any = None, progress: Progress = silent
) -> dict[str, Scan]:
    """Look for ids in some files, and in their names below a folder; each file is decoded once for all of them.

    Args:
        root: the folder that the names of the traces are relative to.
        paths: the files; one that goes meanwhile is passed over.
        key: join key of the ids.
        ids: the ids.
        server: connection of redis-py to an online store outside the folder.
        progress: called with the bytes searched of those there are.

    Returns:
        Id → where it is.
    """
    walk = _Walk([_Search(key, id_) for id_ in ids])
    sizes = [path.stat().st_size if path.is_file() else 0 for path in paths]
    total, done = sum(sizes), 0
    for path, size in zip(paths, sizes, strict=True):
        walk.file(root, path)
        done += size
        progress(done, total, f"{sum(len(search.traces) for search in walk.searches):,} traces")
    if server is not None:
        for part in values(server):
            walk.content(ONLINE, part, None, 1)
    return {search.id_: search.result(walk, len(paths)) for search in walk.searches}


class _Search:
    """The traces of one id."""

    def __init__(self, key: str, id_: str) -> None:
        self._key, self.id_ = key, id_
        self._is_distinctive = is_distinctive(id_)
        self._spellings: Sequence[Spelling] = spellings(id_) if self._is_distinctive else ()
        self._named = named_value(key, id_)
        self._value = SEPARATOR + id_.encode() + SEPARATOR
        self.traces: Counter[tuple[str, str, str, bool]] = Counter()

    def look(self, name: str, part: Part) -> None:
        if not self._is_distinctive:
            if part.is_delimited:
                hits = part.content.count(self._value) if part.key in (self._key, ANY_KEY) else 0
            else:
                hits = sum(1 for _ in self._named.finditer(part.content))
            self._add(name, part.place, "text", hits, is_certain=part.key != ANY_KEY)
            return
        for spelling in self._spellings:
            certain, possible = spelling.count(part.content, is_delimited=part.is_delimited)
            self._add(name, part.place, spelling.form, certain, is_certain=True)
            self._add(name, part.place, spelling.form, possible, is_certain=False)

    def result(self, walk: "_Walk", files: int) -> Scan:
        traces = [
            Trace(path, place, form, count, is_certain)
            for (path, place, form, is_certain), count in self.traces.items()
        ]
        return Scan(traces, walk.unread, files, walk.size, self._is_distinctive)

    def _add(self, name: str, place: str, form: str, count: int, *, is_certain: bool) -> None:
        if count:
            self.traces[name, place, form, is_certain] += count


class _Walk:
    """Decodes contents and shows their parts to searches."""

    def __init__(self, searches: list[_Search]) -> None:
        self.searches = searches
        self.unread: dict[str, str] = {}
        self.size = 0

    def file(self, root: Path, path: Path) -> None:
        name = str(path.relative_to(root))
        self._look(name, values_part("its name", path.relative_to(root).parts))
        try:
            with path.open("rb") as handle:
                if not path.stat().st_size:
                    return
                content = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
            self.content(name, Part("", content), path, 0)  # type: ignore[arg-type]
        except FileNotFoundError:
            return
        except OSError as error:
            self.unread[name] = error.strerror or str(error)

    def content(self, name: str, part: Part, path: Path | None, depth: int) -> None:
        self._look(name, part)
        if part.is_delimited or depth > _DEEPEST:
            return
        for reader in READERS:
            if not reader.recognizes(part.content):
                continue
            try:
                for inner in reader.read(part.content, path):
                    place = f"{part.place}, {inner.place}" if part.place else inner.place
                    self.content(name, Part(place, inner.content, inner.is_delimited, inner.key), None, depth + 1)
            except MemoryError:
                raise
            except Exception as error:  # damaged, or locked: whatever the library raises
                self.unread[name] = f"{reader.name}: {type(error).__name__}: {str(error)[:200]}"

    def _look(self, name: str, part: Part) -> None:
        self.size += len(part.content)
        for search in self.searches:
            search.look(name, part)


def _is_of_others(path: Path, tenant: str) -> bool:
    tenants = [part.removeprefix("tenant=") for part in path.parts if part.startswith("tenant=")]
    return bool(tenants) and tenant not in tenants
