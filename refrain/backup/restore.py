"""Reads a backup: restores a data folder without the people whose keys were destroyed, or checks that it could."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from feature_repo import layout
from feature_repo.command_line import Progress, silent
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.person_keys import PersonKeyFile
from feature_repo.encryption.stored_files import write_lines, write_stored
from feature_repo.errors import EncryptionError, HomeError
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from refrain.backup import tables
from refrain.backup.archive import About, Part, Start, Total, open_archive
from refrain.backup.contents import DECISIONS, RECORDS
from refrain.backup.create import needed_keys
from refrain.backup.lines import LIKENESS, joined
from refrain.backup.mentions import restricted_document
from refrain.backup.pieces import KeyDestroyed, KeyUnknown, Piece, Sealer
from transforms import parquet

_MARK = ".restoring"
"""File of a data folder that a restore has begun to fill."""


@dataclass
class Result:
    """What a backup gave.

    Attributes:
        about: what it is of.
        files: number of files.
        rows: number of rows and lines that can be read.
        people: digests of those whom they name.
        left_out_rows: number of rows and lines of people whose keys were destroyed.
        left_out_people: digests of these people.
    """

    about: About
    files: int = 0
    rows: int = 0
    people: set[bytes] = field(default_factory=set)
    left_out_rows: int = 0
    left_out_people: set[bytes] = field(default_factory=set)


def verify(home: Home, path: Path, progress: Progress = silent) -> Result:
    """Check that every byte of a backup is as it was written and that its keys are there; writes nothing.

    Args:
        home: the data folder, or an empty one with its file of wrapped keys.
        path: the archive.
        progress: called with the bytes of the pieces that were opened.

    Raises:
        InputError: it is no backup, or encryption is off.
        SealError: it was changed or cut off, or is of another tenant.
        EncryptionError: a key is not there.
    """
    result, files = open_contents(home, path)
    _drain(files, result, path, progress)
    return result


def restore(home: Home, path: Path, progress: Progress = silent) -> Result:
    """Write the files of a backup into an empty data folder. May be killed and repeated.

    Rows and lines of people whose keys were destroyed are left out. The archive is checked first, so that nothing of a
    damaged one is written.

    Args:
        home: the data folder: nothing but ``security/`` with the file of wrapped keys.
        path: the archive.
        progress: called with the bytes of the pieces that were written.

    Raises:
        HomeError: the data folder holds data.
        InputError: it is no backup, or encryption is off.
        SealError: it was changed or cut off, or is of another tenant.
        EncryptionError: a key is not there.
    """
    mark = home.root / _MARK
    if not mark.is_file() and any((home.root / name).exists() for name in ("raw", *RECORDS, *DECISIONS)):
        raise HomeError(
            expected=f"an empty data folder at {home.root}, but for security/",
            found="one that holds data",
            next_command="export REFRAIN_HOME=/an/empty/folder, copy security/ into it, then repeat the command",
        )
    verify(home, path)
    write_whole(mark, "")
    result, files = open_contents(home, path)
    layout.write(home.root, result.about.layout)
    _drain(files, result, path, progress, home)
    people = PersonKeyFile(home, needed_keys(home))
    people.note_folder()
    forgotten = people.forgotten(Forgotten.of(home))
    if forgotten.digests:
        forgotten.save(home)
    mark.unlink()
    return result


@dataclass
class _Content:
    """Files of an archive with what of them can be read."""

    start: Start
    contents: list[bytes]

    def write(self, home: Home) -> None:
        start, paths = self.start, [home.root / file.path for file in self.start.files]
        if start.kind == "table":
            frames = dict(zip(paths, tables.join(start.schema, self.contents, len(paths)), strict=True))
            metadata = {path: file.metadata for path, file in zip(paths, start.files, strict=True)}
            left = {
                path: rows
                for (path, rows), file in zip(frames.items(), start.files, strict=True)
                if rows.height or not file.rows
            }
            parquet.write_all(left, {path: metadata[path] for path in left})
        elif start.kind == "lines":
            write_lines(paths[0], joined(self.contents), home)
        elif start.kind == "keys":
            by_id = {key["id"]: key for key in map(json.loads, self.contents)}  # as it is, over the one without a name
            write_whole(paths[0], json.dumps({"keys": list(by_id.values())}, indent=1) + "\n", is_secret=True)
        elif start.kind == "restricted":
            document = json.dumps(restricted_document(self.contents)).encode()
            write_stored(paths[0], document, home, "people", is_secret=True)
        elif self.contents:
            write_whole(paths[0], self.contents[0], is_secret=True)
        for path, file in zip(paths, start.files, strict=True):
            if path.is_file():
                path.chmod(file.mode)


def open_contents(home: Home, path: Path) -> tuple[Result, Iterator[_Content]]:
    """Opens an archive: its result, which grows as the contents of its files are read, and these contents."""
    keys = needed_keys(home)
    reading = open_archive(path, home, keys)
    result = Result(reading.about)
    return result, _contents(home, keys, path, reading.messages, result)  # type: ignore[arg-type]


def _contents(
    home: Home, keys: EncryptionKeys, path: Path, messages: Iterator[Start | Part | Total], result: Result
) -> Iterator[_Content]:
    people = PersonKeyFile(home, keys)
    known, content, sealer = people.read(), None, None
    for message in messages:
        if isinstance(message, Part):
            assert content is not None and sealer is not None
            try:
                content.contents.append(sealer.open(Piece(message.people, message.count, message.content)))
            except KeyDestroyed as error:
                result.left_out_rows += message.count
                result.left_out_people |= error.people
            except KeyUnknown as error:
                raise EncryptionError(
                    expected=f"the keys of people in {people.path}, as they were when {path} was made or later",
                    found="none for some of the people in it, and no note that it was destroyed",
                    next_command=f"restore {people.path} from its newest copy, then repeat the command",
                ) from error
            else:
                result.rows += message.count
                result.people.update(message.people)
            continue
        if content is not None:
            yield content
        if isinstance(message, Start):
            dictionary = LIKENESS if message.kind == "lines" else b""
            content, sealer = _Content(message, []), Sealer(known, result.about.archive, dictionary)
            result.files += len(message.files)


def _drain(files: Iterator[_Content], result: Result, path: Path, progress: Progress, home: Home | None = None) -> None:
    size, done = path.stat().st_size, 0
    for content in files:
        if home is not None:
            content.write(home)
        done += sum(map(len, content.contents))
        progress(min(done, size), size, f"{result.rows:,} rows")
