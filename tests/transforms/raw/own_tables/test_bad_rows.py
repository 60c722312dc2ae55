"""What does not fit costs its row only."""

import json
from pathlib import Path
from typing import Any

import pytest

from feature_repo.home import Home
from tests.own_tables import quarantined, stored
from tests.transforms.raw.own_tables.tables import failure, run
from transforms.raw.own_tables import json_table


def test_a_cell_that_does_not_fit_costs_its_row_only(shop: Home, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    lines = [
        "customer,cents,gift,ordered_at",
        "1,7,yes,2026-01-05",
        "2,7.5,maybe,2026-01-05",
        "3,7,no,05.01.2026",
        "4,7,no",
        '"5" inch,7,no,2026-01-05',
        "6,7.0,T,2026-01-05 10:00:00+02:00",
        ",7,no,2026-01-05",
        '"8,7,no,2026-01-05',
        "9,,0,2026-01-05T00:00:00.5",
    ]
    path.write_text("\n".join(lines) + "\n")
    report, _ = run(shop, path)
    assert report is not None
    counts = report.tables["orders"]
    assert (counts.read, counts.added, counts.quarantined) == (9, 3, 6)
    assert [(row["customer_id"], row["cents"], row["gift"]) for row in stored(shop)] == [
        ("1", 7, True),
        ("9", None, False),
        ("6", 7, True),
    ]
    assert sorted(reason for reason, _ in quarantined(shop)) == [
        "3 cells instead of 4",
        "a quote that is not closed, or text after a closing one",
        "a quote that is not closed, or text after a closing one",
        "cents: not a whole number; gift: no boolean such as yes, no, true, false, 1 or 0",
        "customer_id is missing",
        "event_timestamp: not a time in ISO 8601",
    ]
    before = quarantined(shop)
    run(shop, path)
    assert quarantined(shop) == before


def test_bytes_of_another_encoding_cost_their_row_only(shop: Home, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    rows = ["1,Café,2026-01-05", "2,Thé,2026-01-05", "3,Tee,2026-01-05"]
    path.write_bytes(b"customer,item,ordered_at\n" + "\n".join(rows).encode() + b"\n4,Caf\xe9,2026-01-05\n")
    run(shop, path)
    assert [row["item"] for row in stored(shop)] == ["Café", "Thé", "Tee"]
    assert [reason for reason, _ in quarantined(shop)] == ["bytes that are not UTF-8"]


def test_json_lines_may_mix_types_and_miss_fields(shop: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_table, "BATCH_ROWS", 2)
    path = tmp_path / "orders.jsonl"
    rows: list[Any] = [
        {"customer": 17, "ordered_at": "2026-01-05"},
        {"customer": "18", "ordered_at": 5},
        {"customer": 19.0, "ordered_at": "2026-01-06", "cents": "12"},
        {"customer": 20, "ordered_at": "2026-01-07", "cents": 12.5, "item": ["x"]},
        {"customer": 1 << 70, "ordered_at": "2026-01-08", "cents": 1, "gift": 1},
        [1],
        {"customer": "\ud800", "ordered_at": "2026-01-09"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(shop, path)
    assert [(row["customer_id"], row["cents"], row["gift"]) for row in stored(shop)] == [
        ("17", None, None),
        ("19", 12, None),
        (str(1 << 70), 1, True),
    ]
    assert [reason for reason, _ in quarantined(shop)] == [
        "a text that UTF-8 cannot hold",
        "array in the place of an object",
        "event_timestamp: not a time in ISO 8601",
        "item: of the type list; cents: not a whole number",
    ]


def test_commas_between_thousands_are_no_decimal_commas(shop: Home, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("customer;cents;ordered_at\n1;1,000;2026-01-05\n2;7;2026-01-05\n")
    run(shop, path)
    assert [(row["customer_id"], row["cents"]) for row in stored(shop)] == [("2", 7)]
    path.write_text("customer;cents;ordered_at\n3;1,000;2026-01-05\n4;7,0;2026-01-05\n")
    run(shop, path)
    assert [(row["customer_id"], row["cents"]) for row in stored(shop)] == [("2", 7), ("3", 1), ("4", 7)]


def test_when_all_rows_are_bad_the_error_names_the_reason(shop: Home, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("customer,ordered_at\n1,2999-01-05\n2,2999-01-06\n")
    error = failure(shop, path)
    assert "none of 2" in error.found
    assert "event_timestamp in the future" in error.found
    assert error.next_command.endswith("--look")
    assert len(quarantined(shop)) == 2
    assert stored(shop) == []
