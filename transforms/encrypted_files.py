"""Migration of a data folder: its plain Parquet files are encrypted, or its encrypted ones are made plain again.

Both may be killed and repeated: a file is replaced whole, and one that is done is left alone. Rows, fingerprints and
digests stay, so nothing is computed anew. Writers of raw tables and of feature tables wait meanwhile.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from feature_repo.command_line import Progress, silent
from feature_repo.encryption import parquet_files
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.modular import MAGIC, PLAIN
from feature_repo.encryption.places import forget_checks
from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from transforms import feature_tables, parquet
from transforms.raw import ingest

_WHOLE_BYTES = 256 << 20
"""Size up to which a file is encrypted in memory; a larger one is read and written in parts."""


@dataclass(frozen=True)
class FileCounts:
    """The Parquet files of a table.

    Attributes:
        encrypted: number of encrypted files.
        plain: number of plain files.
    """

    encrypted: int
    plain: int


def parquet_files_of(home: Home) -> Iterator[Path]:
    """Yields the Parquet files of a tenant, whatever their names; partial ones of running writers left out."""
    part = f"tenant={home.tenant}"
    for path in sorted(home.root.rglob("*")):
        if part in path.parts and path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            with path.open("rb") as handle:
                if handle.read(4) in MAGIC:
                    yield path


def count_files(home: Home) -> dict[str, FileCounts]:
    """Counts the files of each table of a tenant by whether they are encrypted; needs no key."""
    counts: dict[str, FileCounts] = {}
    for path in parquet_files_of(home):
        parts = path.relative_to(home.root).parts
        table = "/".join(parts[: parts.index(f"tenant={home.tenant}")])
        before = counts.get(table, FileCounts(0, 0))
        is_encrypted = parquet_files.has_encryption(path)
        counts[table] = FileCounts(before.encrypted + is_encrypted, before.plain + (not is_encrypted))
    return counts


def encrypt_files(home: Home, keys: EncryptionKeys, progress: Progress = silent) -> int:
    """Encrypts the plain files of all tables that are to be encrypted; afterwards, plain ones there are refused.

    Returns:
        Number of files that were encrypted.

    Raises:
        EncryptionError: a key cannot be used.
        StoreError: a file is damaged.
    """
    count = 0
    with ingest.storing(home), feature_tables.writing(home):
        keys.change(lambda file: replace(file, refuses_plain=False))
        forget_checks()
        files = [path for path in parquet_files_of(home) if _is_plain(path) and parquet_files.is_encrypted_at(path)]
        for number, path in enumerate(files):
            _encrypt(path)
            count += 1
            progress(number + 1, len(files), path.parent.name)
        keys.change(lambda file: replace(file, refuses_plain=True))
    return count


def decrypt_files(home: Home, keys: EncryptionKeys, progress: Progress = silent) -> int:
    """Turns encryption off, and makes the encrypted files plain.

    Returns:
        Number of files that were made plain.

    Raises:
        EncryptionError: a key cannot be used; the files that were made plain until then stay plain.
    """
    count = 0
    with ingest.storing(home), feature_tables.writing(home):
        keys.change(lambda file: replace(file, is_on=False, refuses_plain=False))
        forget_checks()
        files = [path for path in parquet_files_of(home) if not _is_plain(path)]
        for number, path in enumerate(files):
            _decrypt(path)
            count += 1
            progress(number + 1, len(files), path.parent.name)
    return count


def _is_plain(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(4) == PLAIN


def _encrypt(path: Path) -> None:
    if path.stat().st_size <= _WHOLE_BYTES:
        try:
            write_whole(path, parquet_files.protected(path.read_bytes(), path))
        except ValueError as error:
            raise parquet.damaged(path, error, "refrain build") from error
        return
    _in_parts(path)


def _decrypt(path: Path) -> None:
    if path.stat().st_size <= _WHOLE_BYTES:
        rows = parquet.read_whole(path, remedy="refrain build")
        parquet.write_whole(rows, path, metadata=parquet.metadata(path))
        return
    _in_parts(path)


def _in_parts(path: Path) -> None:
    """Writes a large file anew as it is to be at its place: plain or encrypted."""
    partial = path.with_name(f"{parquet.PARTIAL}{path.name}")
    try:
        parquet_files.sink_again(path, partial, parquet.digest(path), parquet.metadata(path))
    finally:
        partial.unlink(missing_ok=True)
