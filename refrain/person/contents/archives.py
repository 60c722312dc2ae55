"""Packed files: zip (and npz), tar, gzip, xz, bzip2, zstd. What is in them is read like a file."""

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from refrain.person.contents.reader import Part, Reader, values_part
from transforms.raw.files.streams import PACKERS


def _read_zip(content: bytes, _path: Path | None) -> Iterator[Part]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        yield values_part("names of members", archive.namelist())
        for name in archive.namelist():
            yield Part(f"member {name}", archive.read(name))


def _read_tar(content: bytes, _path: Path | None) -> Iterator[Part]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for member in archive:
            handle = archive.extractfile(member)
            if handle is not None:
                yield Part(f"member {member.name}", handle.read())


def _reader(name: str, magic: bytes, unpack: Callable[[IO[bytes]], Any]) -> Reader:
    def read(content: bytes, _path: Path | None) -> Iterator[Part]:
        yield Part("unpacked", unpack(io.BytesIO(content)).read())

    return Reader(name, lambda content: content[: len(magic)] == magic, read)


READERS = (
    Reader("zip", lambda content: content[:4] == b"PK\x03\x04", _read_zip),
    Reader("tar", lambda content: content[257:262] == b"ustar", _read_tar),
    *(_reader(name, magic, unpack) for magic, (name, unpack) in PACKERS.items()),
)
