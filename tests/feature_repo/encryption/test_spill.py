"""Joins that spill to a disk: with encryption on, nothing in the spill can be read."""

from pathlib import Path

import pytest

from feature_repo.encryption.places import forget_checks, place_of
from feature_repo.home import Home
from feature_repo.stores.join import Limits

TEXT = b"listener-1"


def spilled(folder: Path) -> bytes:
    """The files that a table larger than the memory leaves while it is there."""
    with Limits(memory=32 << 20, threads=1, temp_directory=str(folder)).connection() as duck:
        text = "'listener-' || hash(i)::VARCHAR || hash(-i)::VARCHAR"
        duck.execute(f"CREATE TABLE rows AS SELECT {text} AS id FROM range(500000) AS r(i)")
        files = [path for path in folder.rglob("*") if path.is_file()]
        content = b"".join(path.read_bytes() for path in files)
        assert duck.execute("SELECT count(id) FROM rows").fetchall() == [(500_000,)]
    return content


def test_the_spill_of_a_join_shows_no_rows(
    home: Home, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "spill"
    folder.mkdir()
    forget_checks()
    plain = spilled(folder)
    assert TEXT in plain, "it does spill, and would show them"
    assert place_of(home.raw("plays") / "part-0.parquet") is not None
    encrypted = spilled(folder)
    assert len(encrypted) > 1 << 20
    assert TEXT not in encrypted
