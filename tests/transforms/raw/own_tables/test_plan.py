"""The plan of an import: shown before anything is stored, made of options and of the project's file."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.project import TableImport
from tests.own_tables import stored
from tests.transforms.raw.own_tables.tables import MAP, NOON, run
from transforms.raw.own_tables.request import parse_map


def test_the_plan_is_shown_and_look_stores_nothing(shop: Home, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes("customer;cents;when;note\r\n17;3;1767614400000;à\r\n".encode("cp1252"))
    report, lines = run(shop, path, time="when", look=True)
    assert report is None
    assert not shop.root.exists()
    assert lines == [
        f"{path}: CSV in cp1252 (Windows, Western Europe), delimiter semicolon",
        "  column    type                     becomes",
        "  customer  whole numbers            customer_id, String (mapped)",
        "  cents     whole numbers            cents, Int64 (same name)",
        "  when      milliseconds since 1970  event_timestamp (time)",
        "  note      text                     ignored",
        "  item of orders: missing, for it has no column",
        "  gift of orders: missing, for it has no column",
    ]


@pytest.mark.parametrize(
    ("cells", "words", "expected"),
    [
        (["ja", "Nein", ""], "booleans: ja/nein", [True, False, None]),
        (["x", "", ""], "booleans: x/blank", [True, False, False]),
        (["нет", "ДА", "x"], "booleans: x/да/нет", [False, True, True]),
        (["1", "0", ""], "booleans: 1/0", [True, False, None]),
    ],
)
def test_words_of_booleans_are_shown_and_stored(
    shop: Home, tmp_path: Path, cells: list[str], words: str, expected: list[bool | None]
) -> None:
    path = tmp_path / "orders.csv"
    rows = [f"{number},{cell},2026-01-05" for number, cell in enumerate(cells)]
    path.write_text("\n".join(["customer,gift,ordered_at", *rows]) + "\n")
    _, lines = run(shop, path)
    assert any(words in line and "gift, Bool" in line for line in lines), lines
    assert [row["gift"] for row in stored(shop)] == expected


def test_the_plan_says_how_many_rows_lie_in_the_future(shop: Home, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("customer,ordered_at\n1,1767614400000\n2,2240611200000\n3,2240611200000\n")
    report, lines = run(shop, path)
    assert any("milliseconds since 1970" in line for line in lines)
    assert (
        "  ordered_at: 2 of the first 3 rows lie in the future, up to 2041-01-01 00:00; these go to quarantine" in lines
    )
    assert report is not None
    assert report.tables["orders"].reasons == {"event_timestamp in the future": 2}


def test_the_projects_section_is_overridden_by_options(shop: Home, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("customer,buyer,at,other\n1,2,1767614400,2026-01-06\n")
    section = TableImport(time="at", time_format="s", map={"customer_id": "customer"})
    run(shop, path, map={}, time="", section=section)
    run(shop, path, map={"customer_id": "buyer"}, time="other", section=section)
    assert [(row["customer_id"], row["event_timestamp"]) for row in stored(shop)] == [
        ("1", NOON),
        ("2", datetime(2026, 1, 6, tzinfo=UTC)),
    ]


def test_a_column_can_be_left_out_and_the_created_time_mapped(shop: Home, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("customer,cents,ordered_at,loaded\n1,many,2026-01-05,1767700800000\n")
    run(shop, path, map={**MAP, "cents": "", "created_timestamp": "loaded"})
    assert [(row["cents"], row["created_timestamp"]) for row in stored(shop)] == [
        (None, datetime(2026, 1, 6, 12, tzinfo=UTC))
    ]


def test_options_of_maps_are_checked() -> None:
    assert parse_map(["a = b", "c="]) == {"a": "b", "c": ""}
    for options in (["a"], ["=b"], ["a=b", "a=c"]):
        with pytest.raises(InputError):
            parse_map(options)
