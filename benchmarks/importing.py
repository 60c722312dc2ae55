"""Importing plays on one core: the first time, the same again, and ten new plays.

Worlds: one listener's 6,545 plays over 352 days (a real export has that shape), 200,000 plays over eight years, and two
million plays of 1,000 listeners over 60 days. *Columns*: plays are in memory as batches of 50,000 rows, and end in the
raw tables. *JSON*: a file in the form of Spotify's export is read and ends in the raw tables of plays, users, tracks
and artists. The alternative reads the same with polars and writes one Parquet file per day by a partitioned sink:
without checks, quarantine, merging with what is stored, or safety against kills; the second time it does everything
again. *Bare parse*: polars reads the JSON file and does nothing else. A rate is plays over seconds of processor time,
system included, of a process of its own with one thread, the better of two runs. *Compared*: the second import without
the note that the source is known, so each row is compared with those stored.

    python -m benchmarks.importing [--quick]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.surroundings import MACHINE

GOAL_RATE = 200_000
BATCH_ROWS = 50_000
START_MS = int(datetime(2018, 1, 1, tzinfo=UTC).timestamp() * 1_000)
DAY_MS = 86_400_000
SIZES = {
    "1 listener, 352 days": (6_545, 1, 352),
    "1 listener, 8 years": (200_000, 1, 8 * 365),
    "1,000 listeners, 60 days": (2_000_000, 1_000, 60),
}
"""World → plays, listeners, days."""

JSON_WORLDS = ("1 listener, 352 days", "1 listener, 8 years")


def make_plays(plays: int, listeners: int, days: int) -> pl.DataFrame:
    """Simulate plays in order of time: 2,000 tracks of 400 artists."""
    rng = np.random.default_rng(7)
    tracks = rng.integers(0, 2_000, plays)
    played_ms = rng.integers(1_000, 300_000, plays)
    times_ms = np.sort(rng.choice(days * DAY_MS, plays, replace=False)) + START_MS
    times = pl.Series(times_ms * 1_000).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "user_id": pl.Series([f"spotify:user {number}" for number in range(listeners)])[
                rng.integers(0, listeners, plays)
            ],
            "track_id": pl.Series([f"spotify:track:{number * 7_919:022}" for number in range(2_000)])[tracks],
            "artist_id": pl.Series([f"spotify:artist:Artist {number}" for number in range(400)])[tracks // 5],
            "ms_played": played_ms,
            "skipped": rng.random(plays) < 0.2,
            "context": pl.Series(["autoplay", "library", "fwdbtn"])[rng.integers(0, 3, plays)],
            "device": pl.Series(["phone", "desktop"])[rng.integers(0, 2, plays)],
            "event_timestamp": times,
            "created_timestamp": times + pl.Series(played_ms * 1_000).cast(pl.Duration("us")),
        }
    )


def write_export(plays: pl.DataFrame, path: Path) -> None:
    """Write plays in the form of Spotify's extended streaming history."""
    artist = pl.col("artist_id").str.strip_prefix("spotify:artist:")
    records = plays.select(
        pl.col("created_timestamp").dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("ts"),
        pl.col("user_id").str.strip_prefix("spotify:").alias("username"),
        pl.when(pl.col("device") == "phone")
        .then(pl.lit("Android OS 12"))
        .otherwise(pl.lit("Windows 10"))
        .alias("platform"),
        "ms_played",
        pl.lit("SE").alias("conn_country"),
        pl.lit("192.0.2.1").alias("ip_addr"),
        pl.concat_str(pl.lit("Song "), pl.col("track_id").str.tail(8)).alias("master_metadata_track_name"),
        artist.alias("master_metadata_album_artist_name"),
        pl.lit("An album").alias("master_metadata_album_album_name"),
        pl.col("track_id").alias("spotify_track_uri"),
        pl.lit(None, pl.String).alias("episode_name"),
        pl.lit("trackdone").alias("reason_start"),
        pl.lit("trackdone").alias("reason_end"),
        pl.lit(False).alias("shuffle"),
        "skipped",
        pl.lit(False).alias("incognito_mode"),
    )
    records.write_json(path)


def timed(step: Callable[[], int], plays: int) -> dict[str, float]:
    """Run a step, which returns the rows that it added; measures it."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
    before_mb = peak_megabytes()
    processor_s, wall_s = time.process_time(), time.perf_counter()
    added = step()
    processor_s, wall_s = time.process_time() - processor_s, time.perf_counter() - wall_s
    return {
        "added": added,
        "processor_s": round(processor_s, 3),
        "wall_s": round(wall_s, 3),
        "plays_per_second": round(plays / max(processor_s, 1e-4)),
        "peak_mb_over_start": peak_megabytes() - before_mb,
    }


def peak_megabytes() -> int:
    """The most memory that this process has held since the peak was last reset."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1_024


def run_refrain(source: Path, home_folder: Path, plays: int) -> dict[str, Any]:
    """Import a file of columns or an export three times: known by its note, compared row by row, with ten new plays."""
    from feature_repo.home import Home
    from transforms.raw.importers.spotify import SPOTIFY
    from transforms.raw.ingest import Batch, ingest

    home = Home(home_folder)
    is_json = source.suffix == ".json"
    columns = pl.DataFrame() if is_json else pl.read_ipc(source)
    content = "columns"

    def load(*, is_noted: bool) -> int:
        digest = (SPOTIFY.content(source) if is_json else content) if is_noted else None
        batches = (
            SPOTIFY.read(source) if is_json else [Batch("plays", part) for part in columns.iter_slices(BATCH_ROWS)]
        )
        return ingest(home, "benchmark", batches, content=digest).tables["plays"].added

    def ten_more() -> int:
        late = columns[-10:].with_columns(pl.col("track_id") + "x")
        return ingest(home, "benchmark", [Batch("plays", late)]).tables["plays"].added

    tag = {"user_id": "u", "artist_id": "a", "tag": "t", "event_timestamp": datetime(2020, 1, 1, tzinfo=UTC)}
    ingest(home, "warm", [Batch("tags", pl.DataFrame([tag]))])
    figures = {
        "first": timed(lambda: load(is_noted=True), plays),
        "again": timed(lambda: load(is_noted=True), plays),
        "compared": timed(lambda: load(is_noted=False), plays),
    }
    if not is_json:
        figures["ten new plays"] = timed(ten_more, 10)
    return figures


def run_polars(source: Path, folder: Path, plays: int) -> dict[str, Any]:
    """Read the same with polars, and write one file per day; twice."""
    folder.mkdir(parents=True)

    def load() -> int:
        rows = _read_export(source) if source.suffix == ".json" else columns
        by_day = rows.with_columns(date=pl.col("event_timestamp").dt.date())
        by_day.lazy().sink_parquet(pl.PartitionBy(folder, key="date", include_key=False), mkdir=True)
        return rows.height

    columns = pl.DataFrame() if source.suffix == ".json" else pl.read_ipc(source)
    figures = {"first": timed(load, plays), "again": timed(load, plays)}
    if source.suffix == ".json":
        figures["bare parse"] = timed(lambda: pl.read_json(source).height, plays)
    return figures


def _read_export(source: Path) -> pl.DataFrame:
    records = pl.read_json(source)
    ended = pl.col("ts").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC")
    return records.select(
        user_id=pl.concat_str(pl.lit("spotify:"), "username"),
        track_id="spotify_track_uri",
        artist_id=pl.concat_str(pl.lit("spotify:artist:"), "master_metadata_album_artist_name"),
        ms_played="ms_played",
        skipped="skipped",
        context="reason_start",
        device="platform",
        event_timestamp=ended - pl.duration(milliseconds="ms_played"),
        created_timestamp=ended,
    ).unique(["user_id", "track_id", "event_timestamp"])


PROGRAMS = {"refrain": run_refrain, "polars": run_polars}


def measure(program: str, source: Path, folder: Path, plays: int) -> dict[str, Any]:
    """Run one program in a process of its own, on one core with one thread."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.importing", "--child", program]
    process = subprocess.run(
        [*command, "--source", str(source), "--folder", str(folder), "--plays", str(plays)],
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise SystemExit(f"{program}: {process.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(process.stdout.strip().splitlines()[-1])
    print(json.dumps({source.name: {program: figures}}), file=sys.stderr, flush=True)
    return figures


def best_of_two(program: str, source: Path, folder: Path, plays: int) -> dict[str, Any]:
    """Measure a program twice, each time in an empty folder; returns the run with the faster first import."""
    runs = [measure(program, source, folder / str(number), plays) for number in range(2)]
    return min(runs, key=lambda run: run["first"]["processor_s"])


def cases_of(name: str, form: str, figures: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Create the cases of one world from the figures of both programs."""
    refrain, alternative = figures["refrain"], figures["polars"]
    first, again = refrain["first"], refrain["again"]
    label = f"{form}: {name}"
    share = again["processor_s"] / first["processor_s"]
    rates = [
        {"case": label, "metric": "first_plays_per_second", "value": first["plays_per_second"]},
        {
            "case": label,
            "metric": "again_share_of_first",
            "value": round(share, 3),
            "goal": "<=0.1",
            "met": share <= 0.1,
        },
        {"case": label, "metric": "compared_plays_per_second", "value": refrain["compared"]["plays_per_second"]},
        {"case": label, "metric": "peak_mb_over_start", "value": first["peak_mb_over_start"]},
        {"case": label, "metric": "polars_first_plays_per_second", "value": alternative["first"]["plays_per_second"]},
        {
            "case": label,
            "metric": "polars_peak_mb_over_start",
            "value": alternative["first"]["peak_mb_over_start"],
        },
        {"case": label, "metric": "same_number_of_plays", "value": first["added"] == alternative["first"]["added"]},
        {"case": label, "metric": "added_again", "value": again["added"] + refrain["compared"]["added"]},
    ]
    rates[0] |= {"goal": f">={GOAL_RATE}", "met": first["plays_per_second"] >= GOAL_RATE}
    if "bare parse" in alternative:
        bare = alternative["bare parse"]["processor_s"]
        ratio = round(first["processor_s"] / bare, 1)
        rates.append({"case": label, "metric": "first_in_bare_parses_of_polars", "value": ratio})
    if "ten new plays" in refrain:
        seconds = refrain["ten new plays"]["processor_s"]
        rates.append({"case": label, "metric": "seconds_for_ten_new_plays", "value": seconds})
    return rates


def main() -> None:
    """Run the benchmark and print its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the plays")
    parser.add_argument("--child", choices=PROGRAMS, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--plays", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(PROGRAMS[options.child](options.source, options.folder, options.plays)))
        return
    cases, figures = [], {}
    for name, (plays, listeners, days) in SIZES.items():
        size = plays // 10 if options.quick else plays
        with tempfile.TemporaryDirectory(prefix="refrain-bench-") as scratch:
            folder = Path(scratch)
            rows = make_plays(size, listeners, days)
            sources = {"columns": folder / "plays.arrow"}
            rows.write_ipc(sources["columns"])
            if name in JSON_WORLDS:
                sources["JSON"] = folder / "Streaming_History_Audio_0.json"
                write_export(rows, sources["JSON"])
            for form, source in sources.items():
                world = {
                    program: best_of_two(program, source, folder / f"{form} {program}", size) for program in PROGRAMS
                }
                figures[f"{form}: {name}"] = world
                cases += cases_of(name, form, world)
    print(json.dumps({"benchmark": "importing", "machine": MACHINE, "cases": cases, "figures": figures}))


if __name__ == "__main__":
    main()
