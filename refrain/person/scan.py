"""Looks for an id in every file of the data folder and in the online store, after decoding what is packed.

Searched are the bytes of every file as they are, and what its format holds once it is decoded (``contents``), members
of archives included. An id is looked for in each of its ``spellings``.
"""

import mmap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from feature_repo.command_line import Progress, silent
from feature_repo.contract import contract_of
from feature_repo.discovery import definitions
from feature_repo.encryption.stored_files import open_content
from feature_repo.errors import RefrainError
from feature_repo.home import Home
from refrain.person.contents.json_documents import values_of
from refrain.person.contents.reader import ANY_KEY, SEPARATOR, Part, Reader, values_part
from refrain.person.contents.redis_values import values
from refrain.person.patterns import Patterns
from refrain.person.spellings import Spelling, is_distinctive, spellings
from transforms.raw.declared import raw_tables

READERS: tuple[Reader, ...] = tuple(definitions("refrain.person.contents", Reader).values())
ONLINE = "the online store"
_AT_ONCE = 8 << 20
"""Bytes of parts that are searched together."""
_LARGE = 64 << 20
"""Bytes of a file that is mapped rather than read."""
_DEEPEST = 6
"""Archives within archives that are opened."""


@dataclass(frozen=True)
class PersonKey:
    """The key of people in a project.

    Attributes:
        key: the join key, such as ``user_id``.
        columns: columns that hold such ids.
        others: columns that hold something else: an id found there may belong to something else.
        project: name of the project with its tenant; what belongs to another one is not this person's.

    >>> PersonKey("user_id").columns
    frozenset()
    """

    key: str
    columns: frozenset[str] = field(default_factory=frozenset)
    others: frozenset[str] = field(default_factory=frozenset)
    project: str = ""

    @classmethod
    def of(cls, home: Home, key: str) -> "PersonKey":
        """The key as the tables of a project have it."""
        tables, views = raw_tables(home).values(), contract_of(home).views.values()
        columns = {key, *(name for table in tables for name in table.columns_of(key))}
        others = {name for table in tables for name in table.columns} | {"source", "table", "reason", "kind"}
        others |= {column.name for view in views for column in view.schema}
        return cls(key, frozenset(columns), frozenset(others - columns), home.project)


@dataclass(frozen=True)
class Trace:
    """Where an id is.

    Attributes:
        path: file, relative to the folder that was searched; ``ONLINE`` for values of a server elsewhere.
        place: where in the file; empty for its bytes.
        form: how it is spelled there.
        count: number of times.
        is_certain: whether it is this id as a value of its own, and not a part of a text, or the id of something else.
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
    person = PersonKey.of(home, key)
    return scan_files(home, files_of(home), person, [id_], server=server, progress=progress)[id_]


def files_of(home: Home) -> list[Path]:
    """The files of a data folder, without those that belong to other tenants alone."""
    paths = (path for path in home.root.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in paths if is_of_tenant(path.relative_to(home.root), home.tenant))


def is_of_tenant(path: Path, tenant: str) -> bool:
    """Whether a path in the data folder is of a tenant, or of all of them.

    >>> is_of_tenant(Path("raw/plays/tenant=other"), "default"), is_of_tenant(Path("registry.db"), "default")
    (False, True)
    """
    tenants = [part.removeprefix("tenant=") for part in path.parts if part.startswith("tenant=")]
    return not tenants or tenant in tenants


def scan_files(
    home: Home,
    paths: Sequence[Path],
    person: PersonKey,
    ids: Sequence[str],
    *,
    server: Any = None,
    progress: Progress = silent,
) -> dict[str, Scan]:
    """Look for ids in some files, and in their names below a folder; each file is decoded once for all of them.

    Args:
        home: the data folder, whose sealed files are opened.
        paths: the files; one that goes meanwhile is passed over.
        person: the key of the ids.
        ids: the ids.
        server: connection of redis-py to an online store outside the folder.
        progress: called with the bytes searched of those there are.

    Returns:
        Id → where it is.
    """
    walk = _Walk(home, [_Search(person, id_) for id_ in ids], person.project)
    sizes = [path.stat().st_size if path.is_file() else 0 for path in paths]
    total, done = sum(sizes), 0
    for path, size in zip(paths, sizes, strict=True):
        walk.file(path)
        done += size
        progress(done, total, f"{sum(len(search.traces) for search in walk.searches):,} traces")
    if server is not None:
        for part in values(server):
            walk.content(ONLINE, part, None, 1)
    walk.search()
    return {search.id_: search.result(walk, len(paths)) for search in walk.searches}


class _Search:
    """The traces of one id."""

    def __init__(self, person: PersonKey, id_: str) -> None:
        self._person, self.id_ = person, id_
        self.is_distinctive = is_distinctive(id_)
        self.spellings: Sequence[Spelling] = spellings(id_) if self.is_distinctive else ()
        self._value = SEPARATOR + id_.encode() + SEPARATOR
        self._columns = {person.key, *person.columns}
        self.traces: Counter[tuple[str, str, str, bool]] = Counter()

    def look_for_value(self, name: str, part: Part) -> None:
        """Search a part for the id as a value of its key: all that is done for an id that is not distinctive."""
        if part.is_delimited and part.key in (ANY_KEY, *self._columns):
            hits = part.content.count(self._value)
            self._add(name, part.place, "text", hits, is_certain=part.key != ANY_KEY)

    def count(self, name: str, part: Part, spelling: Spelling, *, is_decoded: bool) -> None:
        """Count a spelling in a part; of bytes whose format was decoded, only words count, and none is certain."""
        certain, possible = spelling.count(part.content, is_delimited=part.is_delimited)
        if is_decoded and spelling.is_word:
            certain, possible = 0, certain
        self._add(name, part.place, spelling.form, certain, is_certain=part.key not in self._person.others)
        self._add(name, part.place, spelling.form, possible, is_certain=False)

    def result(self, walk: "_Walk", files: int) -> Scan:
        traces = [
            Trace(path, place, form, count, is_certain)
            for (path, place, form, is_certain), count in self.traces.items()
        ]
        return Scan(traces, walk.unread, files, walk.size, self.is_distinctive)

    def _add(self, name: str, place: str, form: str, count: int, *, is_certain: bool) -> None:
        if count:
            self.traces[name, place, form, is_certain] += count


class _Walk:
    """Decodes contents and shows their parts to searches."""

    def __init__(self, home: Home, searches: list[_Search], project: str) -> None:
        self._home, self.searches, self._project = home, searches, project
        self._values = [search for search in searches if not search.is_distinctive]
        by_content: dict[bytes, list[tuple[_Search, Spelling]]] = {}
        for search in searches:
            for spelling in search.spellings:
                by_content.setdefault(spelling.content, []).append((search, spelling))
        self._patterns, self._spellings = Patterns(list(by_content)), list(by_content.values())
        self._waiting: list[tuple[str, Part, bool]] = []
        self._waiting_size = 0
        self.unread: dict[str, str] = {}
        self.size = 0

    def file(self, path: Path) -> None:
        name = str(path.relative_to(self._home.root))
        self._look(name, values_part("its name", [path.name, path.stem]))
        try:
            with path.open("rb") as handle:
                if not (size := path.stat().st_size):
                    return
                is_large = size >= _LARGE
                raw: Any = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) if is_large else handle.read()
            content = open_content(raw, path, self._home)
            self.content(name, Part("", content), path, 0)
        except FileNotFoundError:
            return
        except OSError as error:
            self.unread[name] = error.strerror or str(error)
        except RefrainError as error:  # sealed, and its key is gone, or it was changed
            self.unread[name] = error.found

    def content(self, name: str, part: Part, path: Path | None, depth: int) -> None:
        if part.owner and self._project and part.owner != self._project:
            return
        if part.is_delimited:
            self._look(name, part)
            if not part.is_number and SEPARATOR + b"{" in part.content:
                documents = [value for value in part.content.split(SEPARATOR) if value[:1] == b"{"]
                for inner in values_of(documents, f"{part.place}, "):
                    self._look(name, inner)
            return
        readers = [reader for reader in READERS if reader.recognizes(part.content)] if depth <= _DEEPEST else []
        is_decoded = False
        for reader in readers:
            try:
                for inner in reader.read(part.content, path):
                    place = f"{part.place}, {inner.place}" if part.place else inner.place
                    self.content(name, replace(inner, place=place), None, depth + 1)
                is_decoded |= reader.is_complete
            except MemoryError:
                raise
            except Exception as error:  # damaged, or locked: whatever the library raises
                self.unread[name] = f"{reader.name}: {type(error).__name__}: {str(error)[:200]}"
        self._look(name, part, is_decoded=is_decoded)

    def _look(self, name: str, part: Part, *, is_decoded: bool = False) -> None:
        if part.is_number and not self._values:
            return
        self.size += len(part.content)
        for search in self._values:
            search.look_for_value(name, part)
        if self._spellings and not part.is_number:
            self._waiting.append((name, part, is_decoded))
            self._waiting_size += len(part.content)
            if self._waiting_size >= _AT_ONCE:
                self.search()

    def search(self) -> None:
        """Search the parts that wait."""
        waiting, self._waiting, self._waiting_size = self._waiting, [], 0
        if not waiting:
            return
        hits = self._patterns.in_each([part.content for _, part, _ in waiting])
        for (name, part, is_decoded), places in zip(waiting, hits, strict=True):
            for place in places:
                for search, spelling in self._spellings[place]:
                    search.count(name, part, spelling, is_decoded=is_decoded)
