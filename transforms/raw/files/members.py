"""What a path holds: one file, the files of a folder, or those of an archive."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from feature_repo.errors import InputError
from transforms.raw.files.archive import MAGIC, Archive
from transforms.raw.files.streams import (
    BLOCK,
    PACKED_SUFFIXES,
    UNREADABLE,
    Allowance,
    Bytes,
    damaged,
    is_noise,
    readable_name,
    unpacked,
)

DEEPEST = 2
"""How many archives may stand one within another."""


@dataclass(frozen=True)
class PassedOver:
    """A file that an importer did not read.

    Attributes:
        name: the file, as ``Member.name``.
        why: what it is, or why it could not be read.
    """

    name: str
    why: str


@dataclass(frozen=True)
class Member:
    """One file of a path.

    Attributes:
        name: the file's path within the folder or archive, for people; the name of a file that stands alone.
        path: the file on disk that it is, or that it is in.
        modified: when it was last changed.
        size: bytes of it on disk, packed as it is there.
        damage: why it cannot be opened; empty if it can.

    >>> member = next(members(Path("README.md")))
    >>> with member.open() as handle:
    ...     first = handle.readline()
    """

    name: str
    path: Path
    modified: datetime
    size: int
    damage: str = ""
    _source: Callable[[], AbstractContextManager[tuple[Any, Callable[[], int]]]] = field(repr=False, default=None)  # type: ignore[assignment]
    _allowance: Allowance | None = field(repr=False, default=None)
    _inner_name: str = field(repr=False, default="")

    @property
    def place(self) -> str:
        """Where it is, for messages: the path on disk, and the name within an archive."""
        return f"{self.path}: {self._inner_name}" if self._inner_name else str(self.path)

    @property
    def file_name(self) -> str:
        """The name without folders and without the ending of a packed file: ``auth.log.2`` of ``log/auth.log.2.gz``."""
        name = PurePosixPath(self.name).name
        return next((name.removesuffix(end) for end in PACKED_SUFFIXES if name.lower().endswith(end)), name)

    @property
    def stem(self) -> str:
        """The name without folders and endings: ``1`` of ``listens/2024/1.jsonl.gz``."""
        return PurePosixPath(self.file_name).stem

    @contextmanager
    def open(self) -> Iterator[Bytes]:
        """Opens it; yields its bytes, unpacked if they are gzip, xz or bzip2.

        Raises:
            InputError: now or while reading: it is damaged, locked, or unpacks to more than is permitted.
        """
        if self.damage:
            raise damaged(self.place, f"{self.place}: {self.damage}")
        with ExitStack() as stack:
            try:
                handle, position = stack.enter_context(self._source())
            except (*UNREADABLE, RuntimeError, ValueError) as error:
                raise damaged(self.place, f"{self.place}: {error}") from error
            allowance = self._allowance or Allowance(self.place, self.size)
            yield stack.enter_context(unpacked(handle, self.place, position, allowance, bool(self._inner_name)))


def members(path: Path) -> Iterator[Member]:
    """Yields what a path holds, ordered by name.

    Of a folder, all files below it, hidden ones too; of a zip archive its files, and those of archives in it. What an
    operating system adds (``__MACOSX``, ``.DS_Store``) is left out. Workbooks (.xlsx) are files, no archives.

    Args:
        path: file or folder.

    Raises:
        InputError: there is nothing at the path.

    >>> [member.stem for member in members(Path("README.md"))]
    ['README']
    """
    if path.is_dir():
        files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file())
        for name, file in files:
            if not is_noise(name):
                yield from _members_of_file(file, name, f"{readable_name(name)}/")
    elif path.exists():
        yield from _members_of_file(path, path.name, "")
    else:
        raise InputError(
            expected="a file or a folder",
            found=f"nothing at {path}",
            next_command="ls, then repeat the command with the path of a file or folder",
        )


def single(path: Path, name: str = "") -> Member:
    """The member that a file on disk is by itself; an archive is not opened."""
    stat = path.stat()
    modified = datetime.fromtimestamp(stat.st_mtime, UTC)
    return Member(readable_name(name or path.name), path, modified, stat.st_size, "", lambda: _on_disk(path))


def _members_of_file(path: Path, name: str, prefix: str) -> Iterator[Member]:
    member = single(path, name)
    try:
        handle = path.open("rb")
    except OSError as error:
        yield Member(member.name, path, member.modified, member.size, str(error.strerror))
        return
    if handle.read(4) not in MAGIC:
        handle.close()
        yield member
        return
    archive = Archive(handle)
    if archive.is_document:
        yield member
        return
    yield from _members_of_archive(archive, prefix, member, Allowance(str(path), member.size), 1)


def _members_of_archive(
    archive: Archive, prefix: str, outer: Member, allowance: Allowance, depth: int
) -> Iterator[Member]:
    outer_name = "" if outer._inner_name else outer.name
    for entry in sorted(archive.entries, key=lambda entry: entry.name):
        if is_noise(entry.name):
            continue
        member = Member(
            readable_name(f"{prefix}{entry.name}"),
            outer.path,
            entry.modified,
            entry.size,
            entry.damage,
            lambda entry=entry: archive.open(entry),  # type: ignore[misc]
            allowance,
            readable_name(f"{prefix}{entry.name}").removeprefix(f"{outer_name}/"),
        )
        if entry.name.lower().endswith(".zip") and not member.damage:
            yield from _members_of_inner(member, allowance, depth + 1)
        else:
            yield member
    if not archive.is_whole:
        why = "the table of contents is missing: the archive is cut short, and files may be missing at its end"
        yield Member(prefix.rstrip("/") or outer.name, outer.path, outer.modified, outer.size, why)


def _members_of_inner(member: Member, allowance: Allowance, depth: int) -> Iterator[Member]:
    """Yields the files of an archive within an archive, which is unpacked to a temporary file."""
    damage = f"an archive {depth} archives deep" if depth > DEEPEST else ""
    copy = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        if not damage:
            with member.open() as handle:
                while block := handle.read(BLOCK):
                    copy.write(block)
    except InputError as error:
        damage = error.found
    copy.seek(0)
    if damage or copy.read(4) not in MAGIC:
        copy.close()
        yield Member(member.name, member.path, member.modified, member.size, damage or "no zip archive")
        return
    archive = Archive(copy)
    if archive.is_document:
        yield member
    else:
        yield from _members_of_archive(archive, f"{member.name}/", member, allowance, depth)


@contextmanager
def _on_disk(path: Path) -> Iterator[tuple[Any, Callable[[], int]]]:
    with path.open("rb") as handle:
        yield handle, handle.tell
