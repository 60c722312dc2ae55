"""Files of a data folder: encrypted and plain side by side, of several keys, and never taken if they were changed."""

import io
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_repo.encryption import modular, parquet_files
from feature_repo.encryption.cipher import aead
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.places import forget_checks, place_of
from feature_repo.encryption.thrift import read_struct, write_struct
from feature_repo.errors import EncryptionError, StoreError
from feature_repo.home import Home
from transforms import parquet

ROWS = pl.DataFrame(
    {
        "user_id": [f"listener-{number:04}" for number in range(1_000)],
        "at": pl.Series([1_700_000_000_000_000 + number for number in range(1_000)], dtype=pl.Datetime("us", "UTC")),
        "score": [number / 7 for number in range(1_000)],
        "tags": [["a", "b"][: number % 3] for number in range(1_000)],
    }
)
SECRET = b"listener-0"
READ = {"hive_partitioning": False}
FAILURES = (EncryptionError, StoreError)


def day(home: Home, date: str, table: str = "plays") -> Path:
    return home.raw(table) / f"date={date}" / parquet.PART


@pytest.fixture
def path(home: Home, key: Path) -> Path:
    """An encrypted file."""
    target = day(home, "2026-03-01")
    parquet.write_whole(ROWS, target, metadata={"refrain.inputs": "abc"})
    return target


def read(path: Path) -> pl.DataFrame:
    return parquet.read_whole(path, remedy="refrain build")


def _arrow(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = ROWS.to_arrow()
    with parquet_files.writer(path, table.schema) as writer:
        writer.write_table(table, row_group_size=300)


WRITERS: dict[str, Callable[[Path], None]] = {
    "small": lambda path: parquet.write_whole(ROWS.head(100), path),
    "large": lambda path: parquet.write_whole(ROWS, path),
    "frame": lambda path: parquet_files.write(ROWS, path, mkdir=True),
    "sink": lambda path: parquet_files.sink(ROWS.lazy(), path, mkdir=True),
    "arrow": _arrow,
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_every_writer_wrote_every_reader_reads_and_nobody_without_the_key(
    home: Home, key: Path, name: str
) -> None:
    path = day(home, "2026-03-01")
    WRITERS[name](path)
    rows = ROWS.head(100) if name == "small" else ROWS
    assert_frame_equal(parquet_files.read(path, **READ), rows)
    assert_frame_equal(
        parquet_files.scan(path, **READ).filter(pl.col("score") > 3).collect(), rows.filter(pl.col("score") > 3)
    )
    assert parquet_files.metadata(path).num_rows == rows.height
    assert parquet_files.schema(path).names == rows.columns
    with parquet_files.open_file(path) as file:
        assert sum(batch.num_rows for batch in file.iter_batches(64)) == rows.height
    assert_frame_equal(pl.DataFrame(parquet_files.dataset(path).to_table()), rows)
    assert SECRET not in path.read_bytes()
    assert b"user_id" not in path.read_bytes()
    with pytest.raises(pl.exceptions.PolarsError):
        pl.read_parquet(path, glob=False, **READ)
    with pytest.raises(OSError, match=r"encrypt|decrypt"):
        pq.read_metadata(path)


def test_metadata_and_digest_are_those_of_the_plain_file(
    home: Home, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain = tmp_path / "plain.parquet"
    parquet.write_whole(ROWS, plain, metadata={"refrain.inputs": "abc"})
    assert parquet.metadata(path) == parquet.metadata(plain) == {"refrain.inputs": "abc"}
    assert parquet.digest(path) == parquet.digest(plain)
    assert path.read_bytes() != plain.read_bytes()


def test_plain_files_and_files_of_several_keys_are_one_table(
    home: Home, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [day(home, f"2026-03-0{number}") for number in range(1, 7)]
    for number, each in enumerate(paths):
        rows = ROWS.slice(number * 100, 100)
        if number in (2, 4):
            each.parent.mkdir(parents=True)
            rows.write_parquet(each)
        else:
            parquet.write_whole(rows, each)
        if number == 1:
            keys = EncryptionKeys.of(home)
            assert keys is not None
            keys.new_key("table/raw/plays")
    assert len({parquet_files.key_of(each) for each in paths}) == 3
    numbered = parquet_files.scan(paths, row_index_name="row", include_file_paths="file", **READ).collect()
    assert_frame_equal(numbered.select(ROWS.columns), ROWS.head(600))
    assert numbered["row"].to_list() == list(range(600))
    assert numbered["row"].dtype == pl.UInt32
    assert numbered["file"].unique(maintain_order=True).to_list() == [str(each) for each in paths]
    assert_frame_equal(parquet_files.read(paths, columns=["score"], **READ), ROWS.head(600).select("score"))


def test_nothing_is_encrypted_without_the_setting(home: Home) -> None:
    path = day(home, "2026-03-01")
    parquet.write_whole(ROWS, path)
    assert pl.read_parquet(path, glob=False, **READ).equals(ROWS)
    assert not (home.root / "security").exists()


def test_files_outside_of_data_folders_are_plain(key: Path, tmp_path: Path) -> None:
    path = tmp_path / "answers.parquet"
    parquet.write_whole(ROWS, path)
    assert pl.read_parquet(path).equals(ROWS)


def test_encrypted_files_without_any_setting_are_an_error_that_deletes_nothing(
    path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REFRAIN_ENCRYPTION_KEY")
    home.encryption_keys.unlink()
    forget_checks()
    with pytest.raises(EncryptionError, match="REFRAIN_ENCRYPTION_KEY") as error:
        read(path)
    assert "rm " not in error.value.next_command


def test_a_lost_key_closes_the_files(path: Path, key: Path) -> None:
    key.unlink()
    place = place_of(path)
    assert place is not None
    place.keys._tenant_key._ends = 0.0  # as after its time
    with pytest.raises(EncryptionError, match="put the key back"):
        read(path)


@pytest.mark.parametrize("region", range(24))
def test_a_changed_byte_is_never_read(path: Path, region: int) -> None:
    """One byte in each region of the file: magic, headers, pages, key metadata, footer, length."""
    content = bytearray(path.read_bytes())
    place = region * (len(content) - 1) // 23
    content[place] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(FAILURES):
        read(path)


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_change_of_bytes_is_read_as_rows(data: st.DataObject, path: Path) -> None:
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    path.write_bytes(before[:place] + bytes([before[place] ^ data.draw(st.integers(1, 255))]) + before[place + 1 :])
    try:
        with pytest.raises(FAILURES):
            read(path)
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(0, data.draw(st.integers(1, 1 << 40))))


@pytest.mark.parametrize("size", [0, 3, 4, 11, 12, 200, -1, -9, -200])
def test_a_file_that_is_cut_short_is_refused(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(FAILURES):
        read(path)


def test_files_of_two_days_that_change_places_are_refused(home: Home, path: Path) -> None:
    other = day(home, "2026-03-02")
    parquet.write_whole(ROWS.head(700), other)
    third = other.with_name("third")
    path.rename(third)
    other.rename(path)
    third.rename(other)
    for each in (path, other):
        with pytest.raises(EncryptionError, match="changed, renamed"):
            read(each)


def test_files_of_two_tables_that_change_places_are_refused_also_by_other_tools(home: Home, path: Path) -> None:
    other = day(home, "2026-03-01", "likes")
    other.parent.mkdir(parents=True)
    shutil.copy(path, other)
    with pytest.raises(EncryptionError, match="changed, renamed"):
        read(other)
    keys = EncryptionKeys.of(home)
    place = place_of(other)
    assert keys is not None
    assert place is not None
    decryption = pl.ParquetDecryptionProperties(footer_key=keys.key("table/raw/plays").secret, aad_prefix=place.prefix)
    with pytest.raises(pl.exceptions.PolarsError):
        pl.read_parquet(other, decryption=decryption, glob=False, **READ)


def test_a_file_of_another_tenant_is_refused_by_name(home: Home, path: Path) -> None:
    acme = replace(home, tenant="acme")
    other = day(acme, "2026-03-01")
    other.parent.mkdir(parents=True)
    shutil.copy(path, other)
    with pytest.raises(EncryptionError, match="the tenant default"):
        read(other)


def test_a_file_that_was_moved_by_us_is_bound_to_its_new_name(home: Home, key: Path) -> None:
    first, second = home.training_sets / ".partial.parquet", home.training_sets / "set" / "data.parquet"
    second.parent.mkdir(parents=True)
    parquet_files.sink(ROWS.lazy(), first)
    parquet_files.move(first, second)
    assert_frame_equal(read(second), ROWS)
    second.rename(first)
    with pytest.raises(EncryptionError):
        read(first)


def test_plain_files_are_refused_once_all_were_encrypted(home: Home, path: Path) -> None:
    keys = EncryptionKeys.of(home)
    assert keys is not None
    ROWS.write_parquet(path)
    assert read(path).equals(ROWS)
    keys.change(lambda file: replace(file, refuses_plain=True))
    with pytest.raises(EncryptionError, match="somebody has put there"):
        read(path)


def test_a_destroyed_key_makes_its_files_unreadable(home: Home, path: Path) -> None:
    read(path)
    keys = EncryptionKeys.of(home)
    assert keys is not None
    keys.destroy("table/raw/plays")
    with pytest.raises(EncryptionError, match="destroyed at"):
        read(path)


def test_a_writer_that_fails_leaves_no_plaintext(home: Home, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(parquet_files, "encrypt", failing)
    path = day(home, "2026-03-01")
    with pytest.raises(MemoryError):
        parquet.write_whole(ROWS, path)
    assert not any(SECRET in each.read_bytes() for each in home.root.rglob("*") if each.is_file())


FRAMES = st.integers(0, 300).map(ROWS.head)


@given(rows=FRAMES, group=st.integers(1, 200), codec=st.sampled_from(["zstd", "snappy", "none"]), indexes=st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_file_encrypted_in_memory_is_read_by_polars_and_arrow(
    rows: pl.DataFrame, group: int, codec: str, indexes: bool
) -> None:
    """The rows of the plain file, whatever its row groups, codec and indexes; both libraries are the oracles."""
    plain = io.BytesIO()
    pq.write_table(
        rows.to_arrow(), plain, row_group_size=group, compression=codec, write_page_index=indexes, data_page_size=512
    )
    key = bytes(range(32))
    body, unique, footer = modular.encrypt(plain.getvalue(), aead(key), b"place")
    head = modular.algorithm(unique, b"")
    content = body + head + footer + (len(head) + len(footer)).to_bytes(4, "little") + b"PARE"
    decryption = pl.ParquetDecryptionProperties(footer_key=key, aad_prefix=b"place")
    assert_frame_equal(pl.read_parquet(content, decryption=decryption), rows)
    from pyarrow.parquet.encryption import create_decryption_properties

    properties = create_decryption_properties(key, aad_prefix=b"place")
    assert_frame_equal(pl.DataFrame(pq.read_table(pa.BufferReader(content), decryption_properties=properties)), rows)


def test_footers_of_both_libraries_are_written_as_they_were_read() -> None:
    for content in (parquet_files.content(ROWS), parquet_files.content(ROWS, use_pyarrow=True)):
        length = int.from_bytes(content[-8:-4], "little")
        footer = content[-8 - length : -8]
        assert write_struct(read_struct(footer, 0)[0]) == footer


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1PAR1", b"x" * 40, b"PAR1" + b"\xff" * 40 + b"\x28\0\0\0PAR1"])
def test_bytes_that_are_no_parquet_are_not_encrypted(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"Parquet|Thrift|cut short|type"):
        modular.encrypt(content, aead(bytes(32)), b"")
