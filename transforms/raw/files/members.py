"""What a path holds: one file, the files of a folder, or those of an archive."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeAlias

from feature_repo.errors import InputError
from transforms.raw.files.archive import MAGIC, Archive
from transforms.raw.files.streams import (
    BLOCK,
    PACKED_SUFFIXES,
    PACKERS,
    UNREADABLE,
    Allowance,
    Bytes,
    TooLarge,
    damaged,
    is_archive_name,
    is_noise,
    readable_name,
    unpacked,
)
from transforms.raw.files.tar import HEAD, TarArchive, is_tar

DEEPEST = 2
"""How many archives may stand one within another."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

AnyArchive: TypeAlias = Archive | TarArchive


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
        """Opens it; yields its bytes, unpacked if they are gzip, xz, bzip2 or zstd.

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

    Of a folder, all files below it, hidden ones too; of a zip or tar archive its files, and those of archives in it. A
    tar archive may be packed. What an operating system adds (``__MACOSX``, ``.DS_Store``) is left out. Workbooks
    (.xlsx) are files, no archives.

    Args:
        path: file or folder.

    Raises:
        InputError: there is nothing at the path, or a pipe or device.

    >>> [member.stem for member in members(Path("README.md"))]
    ['README']
    """
    if path.is_dir():
        for name, file, damage in sorted(_below(path)):
            if damage:
                yield Member(readable_name(name), file, _EPOCH, 0, damage)
            elif not is_noise(name):
                yield from _members_of_file(file, name, f"{readable_name(name)}/")
    else:
        check_place(path)
        yield from _members_of_file(path, path.name, "")


def check_place(path: Path) -> None:
    """Checks that a path is a file or a folder, which can be read more than once.

    Raises:
        InputError: there is nothing at the path; or a pipe or device, such as standard input.
    """
    if not path.exists():
        raise InputError(
            expected="a file or a folder",
            found=f"nothing at {path}",
            next_command="ls, then repeat the command with the path of a file or folder",
        )
    if not path.is_dir() and not path.is_file():
        raise InputError(
            expected="a file or a folder, for the content is read more than once",
            found=f"{path}, which is a pipe or a device",
            next_command="write it to a file (… > export.json), then repeat the command with the path of that file",
        )


def _below(folder: Path) -> list[tuple[str, Path, str]]:
    """Names and paths of the files below a folder, and of folders that are not looked into, with the reason."""
    damages: dict[str, str] = {}

    def note(error: OSError) -> None:
        damages[str(error.filename)] = f"a folder that cannot be read: {error.strerror}"

    files: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=note):
        damages |= {str(link): "a link to a folder" for name in folders if (link := Path(place, name)).is_symlink()}
        files += [file for name in names if (file := Path(place, name)).is_file()]
    return [
        (path.relative_to(folder).as_posix(), path, damages.get(str(path), ""))
        for path in (*files, *map(Path, damages))
    ]


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
    head = handle.read(HEAD)
    archive, damage = _archive_of(handle, head), ""
    if archive is None:
        handle.close()
        if head.startswith(tuple(PACKERS)) and _is_packed_tar(member):
            archive, damage = _unpacked_archive(member)
    if archive is None or archive.is_document:
        yield Member(member.name, path, member.modified, member.size, damage) if damage else member
        return
    yield from _members_of_archive(archive, prefix, member, Allowance(str(path), member.size), 1, damage)


def _archive_of(handle: IO[bytes], head: bytes) -> AnyArchive | None:
    """The archive that a file is, by its first ``HEAD`` bytes; None if it is none."""
    if head.startswith(MAGIC):
        return Archive(handle)
    return TarArchive(handle) if is_tar(head) else None


def _is_packed_tar(member: Member) -> bool:
    try:
        with member.open() as handle:
            return is_tar(handle.read(HEAD))
    except InputError:
        return False


def _unpacked_archive(member: Member) -> tuple[AnyArchive | None, str]:
    """The archive that a member is, unpacked to a temporary file; and why it is not whole, or cannot be read."""
    copy, damage = tempfile.TemporaryFile(), ""  # noqa: SIM115
    try:
        with member.open() as handle:
            while block := handle.read1(BLOCK):
                copy.write(block)
        copy.flush()
    except TooLarge as error:
        copy.truncate(0)
        damage = error.found
    except InputError as error:
        damage = error.found
    except OSError as error:
        damage = f"no room for it in {tempfile.gettempdir()}: {error.strerror}"
    copy.seek(0)
    archive = _archive_of(copy, copy.read(HEAD))
    if archive is None:
        copy.close()
    return archive, damage


def _members_of_archive(
    archive: AnyArchive, prefix: str, outer: Member, allowance: Allowance, depth: int, damage: str
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
        if is_archive_name(entry.name) and not member.damage:
            yield from _members_of_inner(member, allowance, depth + 1)
        else:
            yield member
    if why := damage or archive.damage:
        yield Member(prefix.rstrip("/") or outer.name, outer.path, outer.modified, outer.size, why)


def _members_of_inner(member: Member, allowance: Allowance, depth: int) -> Iterator[Member]:
    """Yields the files of an archive within an archive."""
    archive, damage = None, f"an archive {depth} archives deep"
    if depth <= DEEPEST:
        archive, damage = _unpacked_archive(member)
    if archive is None:
        yield Member(member.name, member.path, member.modified, member.size, damage or "no archive")
    elif archive.is_document:
        yield member
    else:
        yield from _members_of_archive(archive, f"{member.name}/", member, allowance, depth, damage)


@contextmanager
def _on_disk(path: Path) -> Iterator[tuple[Any, Callable[[], int]]]:
    with path.open("rb") as handle:
        yield handle, handle.tell
