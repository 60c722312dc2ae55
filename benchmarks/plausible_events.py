"""How often events of people would be refused as implausible (``[plausibility.plays]`` with its default limits).

Two sources of events that nobody made up to attack: the plays of a simulated world, whose listeners have devices and
lengths of plays, and the ratings of MovieLens 100k (``REFRAIN_TEST_DATA``), real people who act fast, of which only the
number within an hour is judged. Against them stand attacks: one account that plays a track all day, at once on many
devices. Then whole imports, with what is marked by default: MovieLens 100k, the dated tags of HetRec, and the
examples of exports beside the test data, where there are any.

Judged on: the limits were set before, and nothing was tuned on these data.

    python -m benchmarks.plausible_events
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import polars as pl

from benchmarks.surroundings import MACHINE, data_set
from feature_repo.contract import contract_of
from feature_repo.definitions.events.plays import plays
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.plausibility import AccountLimits
from transforms.pure.account_hours import AccountHours
from transforms.raw.importers.format import Format
from transforms.raw.ingest import ingest
from transforms.raw.plausibility_review import review
from transforms.raw.read import scan
from transforms.raw.simulate.run import simulate
from transforms.raw.simulate.world import Size

EXPORTS = (
    ("apple-music", "apple-music"),
    ("deezer", "deezer"),
    ("lastfm", "lastfm"),
    ("listenbrainz", "listenbrainz"),
    ("maloja", "maloja"),
    ("movielens", "movielens"),
    ("spotify-extended", "spotify"),
    ("spotify-short", "spotify"),
    ("tidal", "tidal"),
    ("yambda", "yambda"),
    ("youtube-music", "youtube-music"),
)
"""Folder of examples of exports, and their format."""


def main() -> None:
    """Print one line of JSON: shares of events refused, and of accounts with one that was."""
    cases = []
    for name, rows in (
        ("simulated plays", _simulated()),
        ("MovieLens 100k ratings", _ratings()),
        ("attacks", _attacks()),
    ):
        refused, accounts = _judge(rows)
        shares = {"events": refused / rows.height, "accounts": accounts / rows["user_id"].n_unique()}
        cases += [
            {"case": f"{name}: {rows.height:,}", "metric": f"share_of_{what}_refused", "value": round(share, 6)}
            for what, share in shares.items()
        ]
    cases += _imports()
    print(json.dumps({"benchmark": "plausible_events", "machine": MACHINE, "cases": cases}))


def _judge(rows: pl.DataFrame) -> tuple[int, int]:
    """Number of refused events, and of accounts with one, in order of time."""
    hours, refused, accounts = AccountHours(plays, AccountLimits()), 0, set()
    columns = [rows[name].to_list() if name in rows.columns else [None] * rows.height for name in plays.columns]
    for time, *values in zip(rows["event_timestamp"].cast(pl.Int64).to_list(), *columns, strict=True):
        if hours.refusal(time, values):
            refused += 1
            accounts.add(values[0])
        else:
            hours.add(time, values)
    return refused, len(accounts)


def _simulated() -> pl.DataFrame:
    with tempfile.TemporaryDirectory(prefix="refrain-plausible-") as folder:
        home = Home(Path(folder))
        simulate(home, Size(users=150, tracks=400, days=35, plays=30_000), seed=11)
        return scan(home, "plays").sort("event_timestamp").collect()


def _ratings() -> pl.DataFrame:
    file = data_set("movielens-100k") / "u.data"
    rows = pl.read_csv(file, separator="\t", has_header=False, new_columns=["user_id", "track_id", "rating", "s"])
    times = (pl.col("s") * 1_000_000).cast(pl.Datetime("us", "UTC"))
    return rows.select(pl.col("user_id", "track_id").cast(pl.String), times.alias("event_timestamp")).sort(
        "event_timestamp"
    )


def _imports() -> list[dict[str, object]]:
    """Events that imports store, and how many of them are marked by default."""
    sources = [("movielens", data_set("movielens-100k")), ("lastfm", data_set("hetrec2011-lastfm-2k"))]
    program = data_set("movielens-100k").parents[1] / "exports" / "make_exports.py"
    cases: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="refrain-plausible-") as folder:
        if program.is_file():
            subprocess.run([sys.executable, str(program), f"{folder}/exports"], check=True, capture_output=True)
            sources += [(name, Path(folder, "exports", place)) for place, name in EXPORTS]
        totals: Counter[str] = Counter()
        for number, (name, path) in enumerate(sources):
            home = Home(Path(folder, f"home{number}"))
            importer = contract_of(home).find(Format, "importers")[name]
            with suppress(InputError):  # an example of a damaged file is stored as far as it can be read
                ingest(home, name, importer.batches(path, home, **(_options(importer) if number > 1 else {})))
            what = name if number < 2 else "exports"
            for kind in ("plays", "episode_plays"):
                totals[f"{what}: events"] += scan(home, kind).select(pl.len()).collect().item()
                totals[f"{what}: marked"] += sum(line.events for line in review(home, kind))
    for what in ("movielens", "lastfm", "exports"):
        if total := totals[f"{what}: events"]:
            case = f"import of {what}: {total:,} events"
            cases.append({"case": case, "metric": "events_marked", "value": totals[f"{what}: marked"]})
    return cases


def _options(importer: Format) -> dict[str, object]:
    return {"user": "mira"} if "user" in importer.options else {}


def _attacks() -> pl.DataFrame:
    """A track played for a day by an account on 50 devices at once, each play three minutes long."""
    count = 50 * 24 * 20
    numbers = pl.int_range(count, eager=True)
    return pl.DataFrame(
        {
            "event_timestamp": (1_767_225_600_000_000 + numbers // 50 * 180_000_000 + numbers % 50).cast(
                pl.Datetime("us", "UTC")
            ),
            "user_id": ["attacker"] * count,
            "track_id": ["t000001"] * count,
            "ms_played": [180_000] * count,
            "device": [f"device {number % 50}" for number in range(count)],
        }
    )


if __name__ == "__main__":
    main()
