"""How often events of people would be refused as implausible (``[plausibility.plays]`` with its default limits).

Two sources of events that nobody made up to attack: the plays of a simulated world, whose listeners have devices and
lengths of plays, and the ratings of MovieLens 100k (``REFRAIN_TEST_DATA``), real people who act fast, of which only the
number within an hour is judged. Against them stand attacks: one account that plays a track all day, at once on many
devices.

Judged on: the limits were set before, and nothing was tuned on these data.

    python -m benchmarks.plausible_events
"""

import json
import tempfile
from pathlib import Path

import polars as pl

from benchmarks.surroundings import MACHINE, data_set
from feature_repo.definitions.events.plays import plays
from feature_repo.home import Home
from feature_repo.plausibility import AccountLimits
from transforms.raw.read import scan
from transforms.raw.simulate.run import simulate
from transforms.raw.simulate.world import Size
from transforms.pure.account_hours import AccountHours

HOUR = 3_600_000_000


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
