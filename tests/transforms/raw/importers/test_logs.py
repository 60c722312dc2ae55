"""Access logs and server logs of every format: what is read, what is refused, and what is never stored."""

import gzip
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from feature_repo.home import Home
from tests.music import FORMATS
from transforms.raw.ingest import Report, ingest
from transforms.raw.read import scan

LOGS = FORMATS["logs"]


def read(home: Home, path: Path) -> Report:
    return ingest(home, f"logs:{path.name}", LOGS.batches(path, home))


@pytest.mark.parametrize("folder", ["access-logs", "server-logs"])
def test_examples_hold_what_is_expected(exports: Path, tmp_path: Path, folder: str) -> None:
    expected = json.loads((exports / folder / "expected.json").read_text())
    assert len(expected) >= 9
    for number, (name, counts) in enumerate(expected.items()):
        home = Home(tmp_path / str(number))
        report = read(home, exports / folder / name)
        table = "requests" if folder == "access-logs" else "log_lines"
        rows = scan(home, table).collect()
        refused = report.tables[table].reasons
        assert refused == counts["refused"], name
        read_rows = report.tables[table].read + counts.get("continuation_lines", 0)
        assert read_rows == counts["records"], name
        assert rows.height == counts.get("requests", counts.get("messages", counts["records"])), name
        times = rows["event_timestamp"]
        assert (times.min(), times.max()) == tuple(datetime.fromisoformat(counts[end]) for end in ("first", "last"))
        if "logins_failed" in counts:
            success = scan(home, "logins").collect()["success"]
            assert (success.sum(), (~success).sum()) == (counts["logins_accepted"], counts["logins_failed"]), name
        assert sum(item.added for item in read(home, exports / folder / name).tables.values()) == 0
