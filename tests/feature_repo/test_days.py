"""The days of a table: only folders named by a date count, and every reader lists them the same way."""

from pathlib import Path

from feature_repo.days import days_in, files_in, strangers_in

STRANGE = ("date=2026-04-10.bak", "date=__HIVE_DEFAULT_PARTITION__", "date=2026-02-30", "date=20260410", "backup")


def write_day_folders(folder: Path) -> None:
    for name in ("date=2026-04-10", "date=2026-04-09", *STRANGE, ".hidden"):
        (folder / name).mkdir(parents=True)
        (folder / name / "part-0.parquet").touch()
    (folder / "date=2026-04-09" / "copy").mkdir()
    (folder / "date=2026-04-09" / "copy" / "part-0.parquet").touch()
    (folder / "date=2026-05-01").touch()
    (folder / "pushed-1.parquet").touch()


def test_days_are_folders_of_a_date(tmp_path: Path) -> None:
    write_day_folders(tmp_path)
    assert list(days_in(tmp_path)) == ["2026-04-09", "2026-04-10"]
    assert days_in(tmp_path)["2026-04-09"] == str(tmp_path / "date=2026-04-09")
    names = ["date=2026-04-09/part-0.parquet", "date=2026-04-10/part-0.parquet", "pushed-1.parquet"]
    assert [str(path.relative_to(tmp_path)) for path in files_in(tmp_path)] == names
    assert [path.name for path in strangers_in(tmp_path)] == sorted([*STRANGE, "date=2026-05-01"])


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    assert (days_in(tmp_path / "no"), files_in(tmp_path / "no"), strangers_in(tmp_path / "no")) == ({}, [], [])
