"""The same bytes in every container that people have."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, *, streamed: bool = False) -> bytes:
    """A zip archive; a streamed one has the sizes behind the data."""
    target = _Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:  # type: ignore[arg-type]
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def zstd_zip(name: str, content: bytes) -> bytes:
    """A zip archive of one file that is packed by zstd, which ``zipfile`` writes since Python 3.14 only."""
    packed, encoded = zstd(content), name.encode()
    about = struct.pack("<4H3I2H", 0, 93, 0, 33, zlib.crc32(content), len(packed), len(content), len(encoded), 0)
    local = b"PK\x03\x04" + struct.pack("<H", 63) + about + encoded + packed
    central = b"PK\x01\x02" + struct.pack("<2H", 63, 63) + about + bytes(14) + encoded
    ending = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + ending


def tarred(files: dict[str, bytes]) -> bytes:
    """A tar archive."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def zstd(content: bytes) -> bytes:
    """Content packed by zstd."""
    packed: bytes = pyarrow.Codec("zstd").compress(content, asbytes=True)
    return packed


class _Unseekable(io.BytesIO):
    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise io.UnsupportedOperation


def _file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


CONTAINERS: dict[str, Callable[[Path, str, bytes], Path]] = {
    "plain": _file,
    "gzip": lambda folder, name, content: _file(folder, f"{name}.gz", gzip.compress(content)),
    "gzip in two parts": lambda folder, name, content: _file(
        folder, f"{name}.gz", gzip.compress(content[:7]) + gzip.compress(content[7:])
    ),
    "xz": lambda folder, name, content: _file(folder, f"{name}.xz", lzma.compress(content)),
    "bzip2": lambda folder, name, content: _file(folder, f"{name}.bz2", bz2.compress(content)),
    "zstd": lambda folder, name, content: _file(folder, f"{name}.zst", zstd(content)),
    "zstd in two parts": lambda folder, name, content: _file(
        folder, f"{name}.zst", zstd(content[:7]) + zstd(content[7:])
    ),
    "packed without an ending": lambda folder, name, content: _file(folder, name, gzip.compress(content)),
    "folder": lambda folder, name, content: _file(folder, f"export/a/b/{name}", content).parents[2],
    "zip": lambda folder, name, content: _file(folder, "export.zip", zipped({f"a/{name}": content})),
    "stored": lambda folder, name, content: _file(
        folder, "export.zip", zipped({f"a/{name}": content}, zipfile.ZIP_STORED)
    ),
    "streamed": lambda folder, name, content: _file(folder, "export.zip", zipped({name: content}, streamed=True)),
    "bzip2 in zip": lambda folder, name, content: _file(
        folder, "export.zip", zipped({name: content}, zipfile.ZIP_BZIP2)
    ),
    "zstd in zip": lambda folder, name, content: _file(folder, "export.zip", zstd_zip(f"a/{name}", content)),
    "gzip in zip": lambda folder, name, content: _file(
        folder, "export.zip", zipped({f"{name}.gz": gzip.compress(content)})
    ),
    "folder entry with content": lambda folder, name, content: _file(
        folder, "export.zip", zipped({f"a/{name}": content, "a/": b"placeholder"})
    ),
    "zip in zip": lambda folder, name, content: _file(
        folder, "export.zip", zipped({"inner/part.zip": zipped({name: content})})
    ),
    "tar": lambda folder, name, content: _file(folder, "export.tar", tarred({f"a/{name}": content})),
    "tar.gz": lambda folder, name, content: _file(
        folder, "export.tar.gz", gzip.compress(tarred({f"a/{name}": content}))
    ),
    "tar.zst without an ending": lambda folder, name, content: _file(folder, "export", zstd(tarred({name: content}))),
    "tgz in zip": lambda folder, name, content: _file(
        folder, "export.zip", zipped({"part.tgz": gzip.compress(tarred({name: content}))})
    ),
    "zip in tar": lambda folder, name, content: _file(
        folder, "export.tar", tarred({"part.zip": zipped({name: content})})
    ),
    "gzip in tar": lambda folder, name, content: _file(
        folder, "export.tar", tarred({f"{name}.gz": gzip.compress(content)})
    ),
    "tar without its end": lambda folder, name, content: _file(
        folder, "export.tar", tarred({f"a/{name}": content})[: 512 + len(content) + -len(content) % 512]
    ),
    "zip without its table of contents": lambda folder, name, content: _file(
        folder, "export.zip", _headless(zipped({f"a/{name}": content}))
    ),
    "streamed zip without its table of contents": lambda folder, name, content: _file(
        folder, "export.zip", _headless(zipped({f"a/{name}": content}, streamed=True))
    ),
    "zip in a folder": lambda folder, name, content: (
        _file(folder, "export/part.zip", zipped({name: content, f"__MACOSX/._{name}": b"\0"})).parent
    ),
}
"""Name of a container → function that writes a file of this name and content within it, and returns the path."""


def _headless(archive: bytes) -> bytes:
    return archive[: archive.index(b"PK\x01\x02")]
