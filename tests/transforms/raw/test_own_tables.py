"""A person's own table becomes events: whatever its format, cell by cell, once, and with one clear error if not."""

import csv
import gzip
import io
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.project import TableImport
from tests.own_tables import make_project, quarantined, stored
from transforms.raw.importers import format as importer_format
from transforms.raw.own_tables import csv_table, json_table
from transforms.raw.own_tables.files import open_table
from transforms.raw.own_tables.request import TableRequest, parse_map
from transforms.raw.own_tables.run import import_file
from transforms.raw.report import Report

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {"customer": "17", "item": "Café\nnoir; \"petit\", 'x'", "cents": 1250, "gift": True, "ordered_at": NOON},
    {"customer": "18", "item": None, "cents": None, "gift": None, "ordered_at": NOON + timedelta(hours=1)},
    {"customer": "17", "item": "Thé", "cents": -3, "gift": False, "ordered_at": NOON + timedelta(days=2)},
]
MAP = {"customer_id": "customer"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("shop"), "own_tables_shop")


@pytest.fixture
def shop(project: Path, tmp_path: Path) -> Home:
    return Home(tmp_path / "home", project_folder=project)


def run(home: Home, path: Path, kind: str = "orders", **options: Any) -> tuple[Report | None, list[str]]:
    lines: list[str] = []
    look = options.pop("look", False)
    request = TableRequest(kind, path, **{"map": MAP, "time": "ordered_at", **options})
    return import_file(home, request, show=lines.append, look=look), lines


def failure(home: Home, path: Path, kind: str = "orders", **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        run(home, path, kind, **options)
    return caught.value


def as_csv(rows: list[dict[str, Any]], encoding: str = "utf-8", delimiter: str = ",", end: str = "\r\n") -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return out.getvalue().encode(encoding)


def _cell(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def as_json(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps({name: _cell(value) for name, value in row.items()}) + "\n" for row in rows).encode()


def as_arrow(rows: list[dict[str, Any]], kind: str) -> bytes:
    out, table = io.BytesIO(), pa.Table.from_pylist(rows)
    if kind == "parquet":
        pq.write_table(table, out)
    elif kind == "feather":
        pyarrow.feather.write_feather(table, out)
    else:
        with pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
    return out.getvalue()


FILES = {
    "plain.csv": as_csv(ROWS),
    "unix.csv": as_csv(ROWS, end="\n"),
    "semicolon.csv": as_csv(ROWS, delimiter=";"),
    "tab.tsv": as_csv(ROWS, delimiter="\t"),
    "bar.txt": as_csv(ROWS, delimiter="|"),
    "bom.csv": as_csv(ROWS, "utf-8-sig", ";"),
    "utf16.csv": as_csv(ROWS, "utf-16", "\t"),
    "utf16be.csv": as_csv(ROWS, "utf-16-be"),
    "cp1252.csv": as_csv(ROWS, "cp1252", ";"),
    "hint.csv": b"sep=;\r\n" + as_csv(ROWS, delimiter=";"),
    "packed.csv.gz": gzip.compress(as_csv(ROWS, "cp1252")),
    "trailing.csv": as_csv(ROWS, delimiter=";") + b";;;;\r\n\r\n",
    "lines.jsonl": as_json(ROWS),
    "lines.jsonl.gz": gzip.compress(as_json(ROWS)),
    "bom.jsonl": b"\xef\xbb\xbf" + as_json(ROWS),
    "rows.parquet": as_arrow(ROWS, "parquet"),
    "rows.feather": as_arrow(ROWS, "feather"),
    "rows.arrows": as_arrow(ROWS, "stream"),
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_events_once(shop: Home, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    report, _ = run(shop, path)
    assert report is not None
    assert report.tables["orders"].added == 3
    expected = [
        {
            "event_timestamp": row["ordered_at"],
            "created_timestamp": row["ordered_at"],
            "customer_id": row["customer"],
            "item": row["item"],
            "cents": row["cents"],
            "gift": row["gift"],
        }
        for row in ROWS
    ]
    assert stored(shop) == expected
    again, _ = run(shop, path)
    assert again is not None
    assert (again.tables["orders"].added, again.tables["orders"].known) == (0, 3)
    assert stored(shop) == expected


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


def test_batches_are_bounded(shop: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "BATCH_ROWS", 10)
    path = tmp_path / "orders.csv"
    path.write_text("customer,ordered_at\n" + "".join(f"{n},2026-01-05\n" for n in range(25)))
    assert [chunk.rows for chunk in open_table(path).chunks()] == [10, 10, 5]
    run(shop, path)
    assert len(stored(shop)) == 25


def test_parquet_is_read_in_batches(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"customer": range(importer_format.BATCH_ROWS * 2 + 1)}), path)
    assert [chunk.rows for chunk in open_table(path).chunks()] == [50_000, 50_000, 1]


def test_keys_of_pandas_and_of_text_are_the_same(shop: Home, tmp_path: Path) -> None:
    """A column of integers beside missing ones is one of floats in pandas: 17.0 is customer 17."""
    floats, text = tmp_path / "floats.parquet", tmp_path / "floats.csv"
    pq.write_table(pa.table({"customer": [17.0, None, 18.0], "ordered_at": [NOON] * 3}), floats)
    text.write_text("customer,ordered_at\n17.0,2026-01-05 12:00\n,2026-01-05 12:00\n18.0,2026-01-05 12:00\n")
    run(shop, floats)
    first = stored(shop)
    report, _ = run(shop, text)
    assert [row["customer_id"] for row in first] == ["17", "18"]
    assert report is not None
    assert report.tables["orders"].added == 0
    assert stored(shop) == first


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


def test_a_section_of_no_kind_of_events_is_an_error(tmp_path: Path) -> None:
    project = make_project(tmp_path / "shop", "own_tables_sections", '[imports.order]\ntime = "at"\n')
    path = tmp_path / "orders.csv"
    path.write_text(GOOD)
    error = failure(Home(tmp_path / "home", project_folder=project), path)
    assert error.found == "[imports.order]"
    assert error.next_command == f"correct {project}/refrain.toml"


def test_a_column_can_be_left_out_and_the_created_time_mapped(shop: Home, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("customer,cents,ordered_at,loaded\n1,many,2026-01-05,1767700800000\n")
    run(shop, path, map={**MAP, "cents": "", "created_timestamp": "loaded"})
    assert [(row["cents"], row["created_timestamp"]) for row in stored(shop)] == [
        (None, datetime(2026, 1, 6, 12, tzinfo=UTC))
    ]


GOOD = "customer,cents,ordered_at\n1,2,2026-01-05\n"


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


def test_commas_between_thousands_are_no_decimal_commas(shop: Home, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("customer;cents;ordered_at\n1;1,000;2026-01-05\n2;7;2026-01-05\n")
    run(shop, path)
    assert [(row["customer_id"], row["cents"]) for row in stored(shop)] == [("2", 7)]
    path.write_text("customer;cents;ordered_at\n3;1,000;2026-01-05\n4;7,0;2026-01-05\n")
    run(shop, path)
    assert [(row["customer_id"], row["cents"]) for row in stored(shop)] == [("2", 7), ("3", 1), ("4", 7)]


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


def test_when_all_rows_are_bad_the_error_names_the_reason(shop: Home, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("customer,ordered_at\n1,2999-01-05\n2,2999-01-06\n")
    error = failure(shop, path)
    assert "none of 2" in error.found
    assert "event_timestamp in the future" in error.found
    assert error.next_command.endswith("--look")
    assert len(quarantined(shop)) == 2
    assert stored(shop) == []


def test_options_of_maps_are_checked() -> None:
    assert parse_map(["a = b", "c="]) == {"a": "b", "c": ""}
    for options in (["a"], ["=b"], ["a=b", "a=c"]):
        with pytest.raises(InputError):
            parse_map(options)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
)
def test_csv_of_any_writer_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str]],
    delimiter: str,
    encoding: str,
    end: str,
    quote_all: bool,
    pack: bool,
) -> None:
    out = io.StringIO(newline="")
    has_return = "\r" in "".join(cell for row in rows for cell in row)  # Python 3.11 quotes it not by itself
    quoting = csv.QUOTE_ALL if quote_all or has_return else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(["id", "left", "right"])
    writer.writerows(rows)
    content = out.getvalue().encode(encoding)
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    path.write_bytes(gzip.compress(content) if pack else content)
    chunks = list(open_table(path).chunks())
    read = [
        tuple(cell.as_py() for cell in row)
        for chunk in chunks
        for row in zip(*(chunk.columns[name] for name in ("id", "left", "right")), strict=True)
    ]
    assert read == [row for row in rows if any(row)]
    assert not any(chunk.malformed for chunk in chunks)


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
