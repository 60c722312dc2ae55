"""Writes a backup of a data folder."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import polars as pl

from feature_repo import clock, layout
from feature_repo.command_line import Progress, silent
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.person_keys import Person, PersonKeyFile
from feature_repo.encryption.stored_files import read_lines, read_stored
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.version import version
from inference.security.keys import KeyRing
from refrain.backup import archive, contents, tables
from refrain.backup.archive import VERSION, About, File, Message, Start, Total, part_of
from refrain.backup.lines import LIKENESS, grouped
from refrain.backup.mentions import People, documents_of, label_of, restricted_entries
from refrain.backup.pieces import KeyDestroyed, Sealer
from transforms import parquet
from transforms.raw.declared import raw_tables

_LINES_AT_ONCE = 50_000


@dataclass
class Counts:
    """What a backup has.

    Attributes:
        files: number of files.
        rows: number of rows and lines.
        people: digests of those whom they name.
        left_out: rows of people whose keys were destroyed.
        size: bytes of the archive.
    """

    files: int = 0
    rows: int = 0
    people: set[bytes] = field(default_factory=set)
    left_out: int = 0
    size: int = 0


def create(home: Home, path: Path, progress: Progress = silent) -> Counts:
    """Write a backup of a tenant, readable by its owner alone; a file that is there is replaced when it is complete.

    Args:
        home: the data folder. Nothing is imported meanwhile: what is, may be in the backup in part.
        path: the archive.
        progress: called with the files that are done.

    Raises:
        InputError: encryption is off.
        StoreError: an erasure is not finished, or a file is damaged.

    >>> create(Home.from_env(), Path("/backups/refrain.backup")).rows                  # doctest: +SKIP
    """
    keys = needed_keys(home)
    if contents.has_unfinished_erasure(home):
        raise StoreError(
            expected="no erasure that was begun and not finished",
            found=f"one in {home.erasures}",
            next_command="refrain person forget ID  (finishes it), then: refrain backup create",
        )
    counts = Counts()
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            for chunk in archive.write(_Writer(home, keys, counts, progress).messages(), home, keys):
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
            counts.size = stream.tell()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return counts


def needed_keys(home: Home) -> EncryptionKeys:
    """The keys of a data folder.

    Raises:
        InputError: encryption is off.
    """
    keys = EncryptionKeys.of(home)
    if keys is None:
        raise InputError(
            expected="encryption to be on, as a backup is sealed with the keys of people",
            found="it is off",
            next_command="refrain encryption on --help",
        )
    return keys


class _Writer:
    """Writes the messages of one archive."""

    def __init__(self, home: Home, keys: EncryptionKeys, counts: Counts, progress: Progress) -> None:
        self._home, self._counts, self._progress = home, counts, progress
        self._people, self._file = People(home), PersonKeyFile(home, keys)
        self._archive = os.urandom(16)
        self._total = 0

    def messages(self) -> Iterator[Message]:
        raw, (record_tables, record_lines) = list(contents.raw_files(self._home)), contents.record_files(self._home)
        single = contents.single_files(self._home)
        self._total = sum(len(files) for _, files in raw) + len(record_tables) + len(record_lines) + len(single)
        now = clock.now().isoformat(timespec="seconds")
        yield About(VERSION, self._archive, self._home.tenant, now, version(), layout.current())
        for name, files in raw:
            table = raw_tables(self._home)[name]
            yield from self._tables(files, lambda rows, table=table: self._people.of_rows(table, rows))
        yield from self._tables(record_tables, self._labels_of_records)
        for path in record_lines:
            yield from self._lines(path)
        for path in single:
            yield from self._pieces(Start("file", [self._about(path)]), [self._whole(path)])
        if self._home.keys.is_file():
            yield from self._pieces(Start("keys", [self._about(self._home.keys)]), list(self._api_keys()))
        if self._home.restricted.is_file():
            entries = restricted_entries(read_stored(self._home.restricted, self._home))
            start = Start("restricted", [self._about(self._home.restricted)])
            yield from self._pieces(start, [(sorted(people), 1, entry) for entry, people in entries])
        yield Total(self._counts.files, self._counts.rows, len(self._counts.people))

    def _tables(self, files: Sequence[Path], label) -> Iterator[Message]:  # type: ignore[no-untyped-def]
        for part in tables.parts(files):
            about = [self._about(path, parquet.metadata(path), rows.height) for path, rows in part.items()]
            start = Start("table", about, tables.columns_of(next(iter(part.values()))))
            yield from self._pieces(start, list(tables.cut(part, label)))

    def _labels_of_records(self, rows: pl.DataFrame) -> pl.Series:
        lines, nested = documents_of(rows)
        return pl.Series([label_of(people) for people in self._people.of_lines(lines, nested)], dtype=pl.String)

    def _lines(self, path: Path) -> Iterator[Message]:
        lines = read_lines(path, self._home)
        starts = range(0, len(lines), _LINES_AT_ONCE)
        people = [those for start in starts for those in self._people.of_lines(lines[start : start + _LINES_AT_ONCE])]
        yield from self._pieces(Start("lines", [self._about(path, rows=len(lines))]), grouped(lines, people), LIKENESS)

    def _whole(self, path: Path) -> tuple[list[Person], int, bytes]:
        content = read_stored(path, self._home)
        (people,) = self._people.of_lines([content])
        return sorted(people), 1, content

    def _api_keys(self) -> Iterator[tuple[Sequence[Person], int, bytes]]:
        """The API keys: each revoked and without its name, for everybody, then as it is, for those whom it names."""
        for key in KeyRing(self._home).all():
            (people,) = self._people.of_lines([key.name.encode()])
            if people:
                yield [], 0, msgspec.json.encode(key.without_owner(clock.now()))
            yield sorted(people), 1, msgspec.json.encode(key)

    def _pieces(
        self, start: Start, pieces: Sequence[tuple[Sequence[Person], int, bytes]], dictionary: bytes = b""
    ) -> Iterator[Message]:
        yield start
        keys = self._file.with_people({person for people, _, _ in pieces for person in people})
        sealer = Sealer(keys, self._archive, dictionary)
        for people, count, content in pieces:
            try:
                piece = sealer.seal(people, count, content)
            except KeyDestroyed:
                self._counts.left_out += count
                continue
            self._counts.rows += count
            self._counts.people.update(piece.people)
            yield part_of(piece)
        self._counts.files += len(start.files)
        self._progress(self._counts.files, self._total, start.files[-1].path if start.files else "")

    def _about(self, path: Path, metadata: dict[str, str] | None = None, rows: int = 0) -> File:
        inside = path.relative_to(self._home.root).as_posix()
        return File(inside, path.stat().st_mode & 0o777, metadata or {}, rows)
