"""One clear error, the next command, and nothing stored."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.project import TableImport
from tests.own_tables import make_project, stored
from tests.transforms.raw.own_tables.tables import FILES, GOOD, MAP, NOON, failure
from transforms.raw.own_tables.request import TableRequest, parse_map
from transforms.raw.own_tables.run import import_file


def test_a_section_of_no_kind_of_events_is_an_error(tmp_path: Path) -> None:
    project = make_project(tmp_path / "shop", "own_tables_sections", '[imports.order]\ntime = "at"\n')
    path = tmp_path / "orders.csv"
    path.write_text(GOOD)
    error = failure(Home(tmp_path / "home", project_folder=project), path)
    assert error.found == "[imports.order]"
    assert error.next_command == f"correct {project}/refrain.toml"


@pytest.mark.parametrize(
    ("content", "options", "expected", "found", "following"),
    [
        (GOOD, {"kind": "sales"}, "['orders', 'visits']", "'sales'", "--as KIND"),
        ("customer,cents,cents\n1,2,3\n", {}, "a name of its own", "two columns with the name 'cents'", "rename"),
        (GOOD, {"map": {"customer_id": "custmer"}}, "'custmer'", "'customer'", "--map customer_id=customer"),
        (GOOD, {"map": {"custmer_id": "customer"}}, "customer_id", "'custmer_id'", "--map customer_id=customer"),
        (GOOD, {"map": {}}, "'customer_id', which every event", "'customer'", "--map customer_id=customer"),
        (GOOD, {"time": ""}, "--time names", "'ordered_at'", "--time ordered_at"),
        (GOOD, {"time": "orderd_at"}, "'orderd_at' with the times", "'ordered_at'", "--time ordered_at"),
        (GOOD, {"time_format": "%d.%m.%Y"}, "times in the column", "not of the format '%d.%m.%Y'", "--time-format"),
        (GOOD, {"map": {**MAP, "gift": "cents"}}, "booleans", "'2'", "--map gift="),
        ("customer,ordered_at\n1,13/04/2025 10:30\n", {}, "ISO 8601", "'13/04/2025 10:30'", "'%d/%m/%Y %H:%M'"),
        ("customer,ordered_at\n1,20260403\n", {}, "numbers of one unit", "'20260403'", "--time-format %Y%m%d"),
        ("customer,ordered_at\n1.5,2026-01-05\n2.5,2026-01-05\n", {}, "the key customer_id", "1.5, in row 1", "--map"),
        (
            "a,b\n1,2\n",
            {"section": TableImport(map={"x": "a"})},
            "a mapping to",
            "'x'",
            "[imports.orders] of refrain.toml",
        ),
        (
            '"a" b,c\n1,2\n',
            {},
            "names of the columns",
            "text after a closing one: '\"a\" b,c'",
            "correct the first line",
        ),
        (
            "customer,ordered_at,created_timestamp\n1,2026-01-05,soon\n",
            {},
            "times in the column 'created_timestamp'",
            "'soon'",
            "--map created_timestamp=",
        ),
        ("customer,ordered_at\n", {}, "rows in", "none", "write the table again"),
        ("\n\n", {}, "a table", "an empty file", "write the table"),
        ("", {}, "a table", "an empty file", "write the table"),
        ("[1, 2]", {}, "one JSON object a line", "'1'", "jq -c ."),
        ("PK\x03\x04....", {}, "a table", "a zip archive", "unzip"),
        ("{\n", {}, "one JSON object a line", "'{", "jq -c ."),
        ("abcd\0\x01efg", {}, "a table", "neither text nor", "save the table"),
    ],
)
def test_one_clear_error_and_nothing_is_stored(
    shop: Home, tmp_path: Path, content: str, options: dict[str, Any], expected: str, found: str, following: str
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(content)
    error = failure(shop, path, **options)
    assert expected in error.expected
    assert found in error.found
    assert following in error.next_command
    assert not shop.root.exists()


def test_the_next_command_works(shop: Home, tmp_path: Path) -> None:
    """Each error leads to the next, and the last command imports."""
    path = tmp_path / "my orders.csv"
    path.write_text("customer,cents,ordered_at\n1,2,13.04.2025 10:30\n")
    request = TableRequest("orders", path)
    for _ in range(3):
        with pytest.raises(InputError) as caught:
            import_file(shop, request, show=lambda line: None)
        request = parsed(caught.value.next_command)
    import_file(shop, request, show=lambda line: None)
    assert stored(shop)[0]["event_timestamp"] == datetime(2025, 4, 13, 10, 30, tzinfo=UTC)


def parsed(command: str) -> TableRequest:
    import shlex

    words = shlex.split(command)
    assert words[:3] == ["refrain", "import", "table"]
    options = list(zip(words[4::2], words[5::2], strict=True))
    named = {name: value for name, value in options if name != "--map"}
    mapping = parse_map([value for name, value in options if name == "--map"])
    return TableRequest(
        named["--as"],
        Path(words[3]),
        time=named.get("--time", ""),
        time_format=named.get("--time-format", ""),
        map=mapping,
    )


@pytest.mark.parametrize("values", [[1.5, 2.0], [2.0, 1.5], [float("nan"), 0.25]])
@pytest.mark.parametrize("kind", ["orders", "visits"])
@pytest.mark.parametrize("as_text", [False, True])
def test_a_key_of_fractional_floats_is_one_error(
    shop: Home, tmp_path: Path, values: list[float], kind: str, as_text: bool
) -> None:
    path = tmp_path / "orders"
    table = pa.table({"customer": values, "ordered_at": [NOON, NOON]})
    if as_text:
        lines = [f"{value},2026-01-05\n" for value in values if not math.isnan(value)]
        path.write_text("customer,ordered_at\n" + "".join(lines))
    else:
        pq.write_table(table, path)
    key = {"orders": "customer_id", "visits": "visitor"}[kind]
    error = failure(shop, path, kind, map={key: "customer"})
    assert f"the key {key} of {kind}" in error.expected
    assert "numbers with fractions" in error.found
    assert not shop.root.exists()


@pytest.mark.parametrize("name", ["packed.csv.gz", "lines.jsonl.gz", "rows.parquet", "rows.feather", "utf16.csv"])
def test_a_truncated_file_is_one_error(shop: Home, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name][:-9])
    error = failure(shop, path)
    assert "get" in error.next_command
    assert not shop.root.exists()


def test_columns_of_one_name_in_parquet_are_refused(shop: Home, tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], ["customer", "customer"]), path)
    assert "two columns with the name 'customer'" in failure(shop, path).found


def test_nothing_at_the_path_and_a_folder(shop: Home, tmp_path: Path) -> None:
    assert "nothing at" in failure(shop, tmp_path / "absent.csv").found
    assert "a folder" in failure(shop, tmp_path).found
