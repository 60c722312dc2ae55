"""The one module that reads and writes Parquet: plain, encrypted, and both side by side.

Callers give paths. A file in a data folder whose encryption is on is encrypted with the key of its table, by Parquet
Modular Encryption; the file says which key it takes, so files of several keys, and plain ones of before encryption, are
read by the same call, in their order. Other paths, and folders that were never encrypted, cost one check.
"""

import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_repo.encryption.file_seal import NO_DIGEST, changed, check, read_tail, seal_file, sealed_tail
from feature_repo.encryption.modular import encrypt
from feature_repo.encryption.places import Place, place_of
from feature_repo.encryption.provider import unusable
from feature_repo.errors import EncryptionError
from feature_repo.whole_files import write_whole

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.dataset
    import pyarrow.parquet as pq

Paths = str | Path | Sequence[str] | Sequence[Path]


def scan(paths: Paths, **options: Any) -> "pl.LazyFrame":
    """Scans files lazily, as ``polars.scan_parquet`` does; each file with its own key, or none.

    Args:
        paths: a file, or files of the same columns; names, never patterns.
        options: of ``polars.scan_parquet``.

    Raises:
        EncryptionError: a file was changed or moved, or its key cannot be used. Pages are checked as they are read.

    >>> scan("plays.parquet").select("user_id").collect()              # doctest: +SKIP
    """
    import polars as pl

    files: list[Any] = [paths] if isinstance(paths, str | Path) else list(paths)
    groups = [(key, list(group)) for key, group in groupby(files, _decryption_of)]
    if len(groups) <= 1:
        decryption = groups[0][0] if groups else None
        return pl.scan_parquet(files, glob=False, **options, **_decrypting(decryption))
    row_number = options.pop("row_index_name", None)
    scans = [pl.scan_parquet(group, glob=False, **options, **_decrypting(key)) for key, group in groups]
    rows = pl.concat(scans)
    return rows if row_number is None else rows.with_row_index(row_number)


def read(paths: Paths, *, columns: list[str] | None = None, **options: Any) -> "pl.DataFrame":
    """Reads files to memory, as ``polars.read_parquet`` does; see ``scan``."""
    import polars as pl

    files: list[Any] = [paths] if isinstance(paths, str | Path) else list(paths)
    if all(_decryption_of(file) is None for file in files):
        return pl.read_parquet(paths, columns=columns, glob=False, **options)  # type: ignore[arg-type]
    rows = scan(paths, **options)
    return (rows if columns is None else rows.select(columns)).collect()


def metadata(path: str | Path) -> "pq.FileMetaData":
    """Reads the footer of a file, as ``pyarrow.parquet.read_metadata`` does."""
    import pyarrow.parquet as pq

    return pq.read_metadata(path, decryption_properties=_arrow_decryption(path))


def schema(path: str | Path) -> "pa.Schema":
    """Reads the columns of a file, as ``pyarrow.parquet.read_schema`` does."""
    import pyarrow.parquet as pq

    return pq.read_schema(path, decryption_properties=_arrow_decryption(path))


def open_file(path: str | Path, **options: Any) -> "pq.ParquetFile":
    """Opens a file, as ``pyarrow.parquet.ParquetFile`` does."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, decryption_properties=_arrow_decryption(path), **options)


def dataset(path: Path) -> "pyarrow.dataset.Dataset":
    """Opens a file or a folder as an Arrow dataset; files of a folder are plain."""
    import pyarrow.dataset as ds

    decryption = _arrow_decryption(path) if path.is_file() else None
    options = ds.ParquetFragmentScanOptions(decryption_properties=decryption)
    return ds.dataset(path, format=ds.ParquetFileFormat(default_fragment_scan_options=options))


def open_content(content: Any, path: str | Path | None = None) -> "pq.ParquetFile":
    """Opens a file that lies in memory, or that a handle reads.

    Args:
        content: a buffer or handle.
        path: the file of a data folder that it was read from, if it may be encrypted.
    """
    import pyarrow.parquet as pq

    return pq.ParquetFile(content, decryption_properties=None if path is None else _arrow_decryption(path))


def write(rows: "pl.DataFrame", path: Path, *, final: Path | None = None, **options: Any) -> None:
    """Writes a frame, as ``polars.DataFrame.write_parquet`` does.

    Args:
        rows: the rows.
        path: the file.
        final: the name that the file is given when it is whole; ``path`` if None.
        options: of ``write_parquet``.
    """
    if _encrypting_place(final or path) is None:
        rows.write_parquet(path, **options)
        return
    write_whole(path, protected(content(rows, **options), final or path))


def sink(rows: "pl.LazyFrame", path: Path, *, final: Path | None = None, **options: Any) -> None:
    """Writes a lazy frame in parts, as ``polars.LazyFrame.sink_parquet`` does; see ``write``."""
    place = _encrypting_place(final or path)
    if place is None:
        rows.sink_parquet(path, **options)
        return
    import polars as pl

    key = place.key
    encryption = pl.ParquetEncryptionProperties(footer_key=key.secret, aad_prefix=place.prefix)
    rows.sink_parquet(path, encryption=encryption, **options)
    seal_file(path, place, key)


def planned_sink(rows: "pl.LazyFrame", path: Path, **options: Any) -> "pl.LazyFrame":
    """Plans the writing of a plain file, so that one query writes many; ``is_encrypted_at`` says where that will do."""
    return rows.sink_parquet(path, lazy=True, **options)


@contextmanager
def writer(path: Path, columns: "pa.Schema", *, final: Path | None = None, **options: Any) -> Iterator[Any]:
    """Yields a ``pyarrow.parquet.ParquetWriter``; see ``write``."""
    import pyarrow.parquet as pq

    place = _encrypting_place(final or path)
    if place is None:
        with pq.ParquetWriter(path, columns, **options) as plain:
            yield plain
        return
    import pyarrow.parquet.encryption as pe

    key = place.key
    encryption = pe.create_encryption_properties(key.secret, aad_prefix=place.prefix, store_aad_prefix=False)
    with pq.ParquetWriter(path, columns, encryption_properties=encryption, **options) as encrypting:
        yield encrypting
    seal_file(path, place, key)


def move(path: Path, final: Path) -> None:
    """Gives a whole file its final name in the same table, to which an encrypted one is bound from then on."""
    place = place_of(final)
    before = place_of(path)
    seal = None if before is None else check(path, before)
    if place is not None and seal is not None:
        seal_file(path, place, place.keys.by_id(seal.key_id), seal.digest)
    path.replace(final)


def content(rows: "pl.DataFrame", **options: Any) -> bytes:
    """Returns a frame as the bytes of a plain file, which never reach a disk; for digests and answers."""
    buffer = io.BytesIO()
    rows.write_parquet(buffer, **options)
    return buffer.getvalue()


def protected(content: bytes, path: str | Path) -> bytes:
    """Returns the bytes of a plain file as they lie at a path: encrypted where encryption is on."""
    place = _encrypting_place(path)
    return content if place is None else _encrypted(content, place, hashlib.sha256(content).digest())


def sink_again(path: Path, partial: Path, digest: str, about: Mapping[str, str]) -> None:
    """Writes a file anew in parts, as a new file of its place is: plain or encrypted; its digest is noted.

    Args:
        path: the file.
        partial: name of the new one until it is whole.
        digest: SHA-256 of the plain file, in hexadecimal.
        about: key-value metadata of the file.
    """
    rows = scan(path, hive_partitioning=False)
    sink(rows, partial, final=path, compression="zstd", metadata=dict(about))
    place = _encrypting_place(path)
    if place is not None:
        seal_file(partial, place, place.key, bytes.fromhex(digest))
    partial.replace(path)


def is_encrypted_at(path: str | Path) -> bool:
    """Whether a new file would be encrypted at a path."""
    return _encrypting_place(path) is not None


def plain_digest(path: Path) -> str | None:
    """SHA-256 of a file's plain bytes, in hexadecimal, where the file is encrypted and knows it; else None."""
    place = place_of(path)
    seal = None if place is None else check(path, place)
    return None if seal is None or seal.digest == NO_DIGEST else seal.digest.hex()


def key_of(path: Path) -> str | None:
    """Id of the key that a file of a data folder takes; None if the file is plain."""
    place = place_of(path)
    seal = None if place is None else check(path, place)
    return None if seal is None else seal.key_id


def has_encryption(path: str | Path) -> bool:
    """Whether a file is encrypted, by its last bytes alone; whoever has no key may ask."""
    try:
        return read_tail(path) is not None
    except (OSError, ValueError):
        return False


def unreadable(path: Path, found: str) -> EncryptionError | None:
    """The error for an encrypted file that could not be read; None if the file is not encrypted."""
    if not has_encryption(path):
        return None
    place = place_of(path)
    if place is not None:
        return changed(path, found)
    return unusable(
        f"a key for the encrypted file {path}",
        "no setting that says where the key-encryption key is, and no file of keys in its data folder",
        "export REFRAIN_ENCRYPTION_KEY=file:/etc/refrain/encryption.key; restore the file of keys from a backup",
    )


def _encrypted(content: bytes, place: Place, digest: bytes) -> bytes:
    key = place.key
    body, unique, footer = encrypt(content, _cipher(key.secret), place.prefix)
    return body + sealed_tail(place, key, unique, footer, digest)


def _encrypting_place(path: str | Path) -> Place | None:
    place = place_of(path)
    return place if place is not None and place.encrypts else None


def _decryption_of(path: str | Path) -> tuple[bytes, bytes] | None:
    """Secret and prefix of the file at a path; None if it is plain."""
    place = place_of(path)
    if place is None:
        return None
    try:
        seal = check(path, place)
    except FileNotFoundError:
        return None  # whoever reads it says so
    return None if seal is None else (place.keys.by_id(seal.key_id).secret, place.prefix)


def _decrypting(decryption: tuple[bytes, bytes] | None) -> Mapping[str, Any]:
    if decryption is None:
        return {}
    import polars as pl

    return {"decryption": pl.ParquetDecryptionProperties(footer_key=decryption[0], aad_prefix=decryption[1])}


def _arrow_decryption(path: str | Path) -> Any:
    decryption = _decryption_of(os.fspath(path))
    if decryption is None:
        return None
    import pyarrow.parquet.encryption as pe

    return pe.create_decryption_properties(decryption[0], aad_prefix=decryption[1])


@lru_cache(maxsize=64)
def _cipher(secret: bytes) -> Any:
    from feature_repo.encryption.cipher import aead

    return aead(secret)
