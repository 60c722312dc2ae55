"""Whatever a file holds, each command on one file ends with a verdict, or with one error and what to do next."""

import gzip
import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from refrain.cli import app
from refrain.own_file import classification, forecasting
from training.models.forecasting.naive import LastValue, SeasonalNaive

pytestmark = pytest.mark.journeys

COMMANDS = (("forecast", "--horizon", "3"), ("anomalies",), ("classify",), ("recommend-from",))
DAYS = [f"2024-{month:02}-{day:02}" for month in range(1, 5) for day in range(1, 29)]
HEADER = ("date", "y", "user", "item", "label")


def table(rows: Iterable[tuple[object, ...]], header: tuple[str, ...] = HEADER) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in (header, *rows)).encode()


def rows(value: str = "{n}", count: int = len(DAYS)) -> list[tuple[object, ...]]:
    return [(DAYS[n], value.format(n=n), f"u{n % 20}", f"i{n % 9}", "ab"[n % 2]) for n in range(count)]


FILES = {
    "empty.csv": b"",
    "blank.csv": b"\n\n \n",
    "zeros.csv": b"\0" * 500,
    "noise.csv": random.Random(0).randbytes(3_000),
    "page.csv": b"<!doctype html><html><table><tr><td>1</td></tr></table></html>",
    "names.csv": table([]),
    "one_column.csv": table([(n,) for n in range(200)], ("x",)),
    "one_name.csv": table([("2024-01-01", 1, 2)], ("date", "y", "y")),
    "ten_rows.csv": table(rows(count=10)),
    "no_numbers.csv": table(rows("nan")),
    "infinite.csv": table([(*row[:1], "inf" if n % 5 else "1e300", *row[2:]) for n, row in enumerate(rows())]),
    "huge.csv": table(rows("{n}e299")),
    "tiny.csv": table(rows("{n}e-300")),
    "negative.csv": table(rows("-{n}")),
    "constant.csv": table([(day, 5, "u1", "i1", "x") for day in DAYS]),
    "missing.csv": table([(day, "", "", "", "") for day in DAYS]),
    "shuffled.csv": table(random.Random(1).sample(rows(), len(DAYS))),
    "ragged.csv": table([row[: 2 + n % 4] for n, row in enumerate(rows())]),
    "one_day.csv": table([("2024-01-01", *row[1:]) for row in rows()]),
    "far_ahead.csv": table([(f"{2200 + n}-01-01", *row[1:]) for n, row in enumerate(rows())]),
    "wide_apart.csv": table([("1700-01-01", 1), ("1700-01-01T00:00:01", 2), ("2024-01-01", 3)], ("date", "y")),
    "open_quote.csv": b'date,y\n"2024-01-01,1\n2024-01-02,2\n',
    "utf16.csv": table(rows()).decode().encode("utf-16"),
    "packed.csv.gz": gzip.compress(table(rows())),
    "nested.jsonl": b"".join(b'{"date": "%s", "y": {"a": [1]}, "label": [1]}\n' % day.encode() for day in DAYS),
    "mixed.jsonl": b"".join(b'{"date": %s, "y": "x"}\n' % (b"17" if n % 2 else b'"2024"') for n in range(120)),
    "broken.xlsx": b"PK\x03\x04garbage",
    "broken.parquet": b"PAR1abc",
}


@pytest.mark.parametrize("name", FILES)
def test_every_command_ends_with_a_verdict_or_one_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(forecasting, "_members", lambda panel, step, work, seed: ([LastValue(), SeasonalNaive()], ""))
    monkeypatch.setattr(classification, "LEARNED", ("linear",))
    (tmp_path / name).write_bytes(FILES[name])
    for command, *options in COMMANDS:
        result = CliRunner().invoke(app, [command, name, *options])
        if result.exit_code == 0:
            assert "\nverdict: " in result.stdout
        else:
            assert isinstance(result.exception, SystemExit), (command, result.exception)
            assert [line.split()[0] for line in result.stderr.splitlines()[-3:]] == ["Expected", "Found", "Next"]
