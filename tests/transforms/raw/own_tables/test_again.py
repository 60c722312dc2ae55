"""Events that are imported again: the newest import counts, and what is missing corrects nothing."""

from pathlib import Path

from feature_repo.home import Home
from tests.own_tables import stored
from tests.projects import write_project
from tests.transforms.raw.own_tables.tables import run

CONSENTS = """
from refrain import EventSource

consents = EventSource(
    "consents",
    columns={"customer_id": "Int64", "purpose": "String", "granted": "Bool"},
    key=("customer_id", "purpose", "granted"),
)
"""


def test_the_newest_import_counts_and_what_is_missing_corrects_nothing(shop: Home, tmp_path: Path) -> None:
    def write(name: str, header: str, *lines: str) -> Path:
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join([header, *lines]) + "\n")
        return path

    rows = ("17,9,a,2026-01-05T12:00:00", "18,8,b,2026-01-05T13:00:00")
    first = write("first", "customer,cents,item,ordered_at", *rows)
    second = write(
        "second", "customer,cents,item,ordered_at", "17,3,a,2026-01-05T12:00:00", "18,,b,2026-01-05T13:00:00"
    )
    partly = write("partly", "customer,item,ordered_at", "17,a,2026-01-05T12:00:00", "18,b,2026-01-05T13:00:00")
    counts = []
    for path in (first, second, second, partly, first):
        report, _ = run(shop, path)
        assert report is not None
        table = report.tables["orders"]
        counts.append((table.added, table.corrected, table.known))
        cents = [row["cents"] for row in sorted(stored(shop), key=lambda row: row["customer_id"])]
        assert cents == ([9, 8] if path == first else [3, 8]), path
    assert counts == [(2, 0, 0), (0, 1, 1), (0, 0, 2), (0, 0, 2), (0, 1, 1)]


def test_rows_that_differ_under_one_key_are_counted(shop: Home, tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("customer,cents,ordered_at\n17,9,2026-01-05T12:00:00\n17,8,2026-01-05T12:00:00\n")
    report, _ = run(shop, path)
    assert report is not None
    assert (report.tables["orders"].duplicates, report.tables["orders"].conflicts) == (1, 1)


def test_events_that_are_only_a_key_are_imported_in_any_order(
    tmp_path: Path,
) -> None:
    files = {"refrain.toml": 'name = "shop"\ndefinitions = ["consents_alone"]\n', "consents_alone.py": CONSENTS}
    home = Home(tmp_path / "home", project_folder=write_project(tmp_path / "project", files))
    path = tmp_path / "consents.csv"
    later, earlier = "17,research,no,2026-03-01T00:00:00", "17,research,yes,2026-01-01T00:00:00"
    counts = []
    for lines in ((later,), (later,), (later, earlier, earlier)):
        path.write_text("\n".join(["customer_id,purpose,granted,ordered_at", *lines]) + "\n")
        report, _ = run(home, path, "consents", map={})
        assert report is not None
        table = report.tables["consents"]
        counts.append((table.added, table.known, table.duplicates, table.corrected, table.conflicts))
    assert counts == [(1, 0, 0, 0, 0), (0, 1, 0, 0, 0), (1, 1, 1, 0, 0)]
