"""Every format, encoding and delimiter gives the same events once, in bounded batches."""

import csv
import gzip
import io
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from feature_repo.home import Home
from tests.own_tables import stored
from tests.transforms.raw.own_tables.tables import FILES, NOON, ROWS, run
from transforms.raw.importers import format as importer_format
from transforms.raw.own_tables import csv_table
from transforms.raw.own_tables.files import open_table


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
