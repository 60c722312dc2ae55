"""Backups that are sealed by people, and sealed logs: processor time and bytes, beside what is not sealed.

A backup: raw plays of many people in twenty days, encrypted tables. Measured are writing, checking and restoring the
archive, in processor time of one process, and its size beside that of the tables. The alternative is a copy of the
files, which nobody can be taken out of; its time is that of reading and writing them.

Logs: lines of the length of an act, appended to a plain log and to a sealed one in turns: each by itself, as a required
audit log does, and a hundred at a time, as the background thread does.

Online values are plain; what opening them would cost a lookup of five views is measured for the decision about it.

    python -m benchmarks.backup [--people 100000] [--plays 1000000] [--quick]
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.surroundings import MACHINE
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.local_key import new_text
from feature_repo.encryption.sealed_log import SealedLogs
from feature_repo.encryption.settings import KEY
from feature_repo.home import Home
from inference.monitoring.background_log import append_line
from refrain.backup.create import create
from refrain.backup.restore import restore, verify
from transforms import parquet
from transforms.raw.declared import raw_tables

DAYS = 20
LINE = json.dumps(
    {
        "at": "2026-03-01T12:00:00.123456+00:00",
        "act": "recommendation",
        "caller": "application",
        "address": "10.0.0.17",
        "request_id": "0f5c7a52d7f84f56a3b4f9d1c2e3a4b5",
        "model": "recommendation:3",
        "keys": {"user_id": ["u000042"]},
    }
).encode()


def fill(home: Home, people: int, plays: int) -> int:
    """Write plays of people; returns the bytes of the tables."""
    rng, table, size = np.random.default_rng(1), raw_tables(home)["plays"], 0
    for day in range(DAYS):
        count = plays // DAYS
        start = 1_770_000_000_000_000 + day * 86_400_000_000
        times = pl.Series(start + np.sort(rng.integers(0, 86_400_000_000, count)))
        rows = pl.DataFrame(
            {
                "user_id": [f"u{number:06}" for number in rng.integers(0, people, count)],
                "track_id": [f"track-{number:05}" for number in rng.zipf(1.3, count) % 20_000],
                "artist_id": [f"artist-{number:04}" for number in rng.integers(0, 2_000, count)],
                "ms_played": rng.integers(1_000, 300_000, count),
                "skipped": rng.random(count) < 0.2,
                "event_timestamp": times.cast(pl.Datetime("us", "UTC")),
            }
        )
        path = home.raw("plays") / f"date=2026-02-{day + 1:02}" / parquet.PART
        parquet.write_whole(table.conform(rows), path)
        size += path.stat().st_size
    return size


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of some work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def measure_backup(home: Home, folder: Path, people: int, plays: int) -> dict[str, float]:
    """Seconds and bytes of one backup."""
    size, archive = fill(home, people, plays), folder / "a.backup"
    files = list((home.root / "raw").rglob("*.parquet"))
    copies = {path: folder / "copies" / f"{number}.parquet" for number, path in enumerate(files)}
    copied = seconds(lambda: [parquet.write_whole(parquet.read_whole(path, remedy=""), copies[path]) for path in files])
    counts = []
    writing = seconds(lambda: counts.append(create(home, archive)))
    checking, wrapped = seconds(lambda: verify(home, archive)), home.encryption_keys.read_bytes()
    shutil.rmtree(home.root)
    home.encryption_keys.parent.mkdir(parents=True)
    home.encryption_keys.write_bytes(wrapped)
    restoring = seconds(lambda: restore(home, archive))
    rows = counts[0].rows
    return {
        "people": len(counts[0].people),
        "rows": rows,
        "rows_per_second": round(rows / writing),
        "create_s": round(writing, 1),
        "verify_s": round(checking, 1),
        "restore_s": round(restoring, 1),
        "copy_s": round(copied, 1),
        "tables_mb": round(size / 1e6, 1),
        "archive_mb": round(counts[0].size / 1e6, 1),
        "ratio": round(counts[0].size / size, 1),
    }


def measure_logs(home: Home, lines: int) -> dict[str, float]:
    """Processor microseconds a line, plain and sealed in turns."""
    keys = EncryptionKeys.of(home)
    assert keys is not None
    logs, figures = SealedLogs(home, keys), {}
    folder = home.audit_log / "date=2026-03-01"
    folder.mkdir(parents=True, exist_ok=True)
    for name, at_once in (("one", 1), ("hundred", 100)):
        block, turns = b"\n".join([LINE] * at_once), 7
        sealed: list[float] = []
        plain: list[float] = []
        for turn in range(turns):
            paths = folder / f"{name}-{turn}-sealed.jsonl", folder / f"{name}-{turn}-plain.jsonl"
            logs.append(paths[0], LINE)  # the key and the list
            count = lines // at_once
            sealed.append(seconds(lambda: [logs.append(paths[0], block) for _ in range(count)]))  # noqa: B023
            plain.append(seconds(lambda: [append_line(paths[1], block) for _ in range(count)]))  # noqa: B023
        figures[f"plain_us_{name}"] = round(statistics.median(plain) / lines * 1e6, 2)
        figures[f"sealed_us_{name}"] = round(statistics.median(sealed) / lines * 1e6, 2)
    return figures


def measure_values() -> dict[str, float]:
    """Processor milliseconds of opening the values of five views for 1 and 100 rows, were they sealed online."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV

    nonce, content, place, figures = os.urandom(12), os.urandom(120), b"music_default:listener:u000042", {}
    for name, cipher in (("gcm", AESGCM(os.urandom(32))), ("gcm_siv", AESGCMSIV(os.urandom(32)))):
        value = cipher.encrypt(nonce, content, place)
        for rows in (1, 100):
            count = 5 * rows
            turns = [
                seconds(lambda: [cipher.decrypt(nonce, value, place) for _ in range(20 * count)])  # noqa: B023
                for _ in range(7)
            ]
            figures[f"{name}_ms_{rows}_rows"] = round(statistics.median(turns) / 20 * 1e3, 4)
    return figures


def main() -> None:
    """Run the benchmark and print one line of JSON."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000, help="people of the world [default: 100000]")
    parser.add_argument("--plays", type=int, default=1_000_000, help="plays of the world [default: 1000000]")
    parser.add_argument("--quick", action="store_true", help="2,000 people and 20,000 plays")
    arguments = parser.parse_args()
    people, plays = (2_000, 20_000) if arguments.quick else (arguments.people, arguments.plays)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "key").write_text(new_text())
        (folder / "key").chmod(0o600)
        os.environ[KEY] = f"file:{folder / 'key'}"
        home = Home(folder / "home").ensure()
        backup = measure_backup(home, folder, people, plays)
        logs = measure_logs(home, 2_000 if arguments.quick else 20_000)
    cases = [{"case": "backup", "metric": name, "value": value} for name, value in backup.items()]
    cases += [{"case": "online", "metric": name, "value": value} for name, value in measure_values().items()]
    cases += [{"case": "logs", "metric": name, "value": value} for name, value in logs.items()]
    print(json.dumps({"benchmark": "backup", "machine": MACHINE, "cases": cases}))


if __name__ == "__main__":
    main()
