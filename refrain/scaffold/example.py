"""The worked example of a new project: orders of a shop, and whether a customer orders again."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from refrain.scaffold.proposal import Proposal, propose

EVENTS, KEY, TIME, LABEL = "orders", "customer_id", "ordered_at", "returned"
FILE = f"{EVENTS}.csv"


def example(project: str) -> tuple[Proposal, str]:
    """Returns the proposal for the example, and its table as CSV."""
    rows = orders()
    return propose(project, FILE, rows, events=EVENTS, keys=[KEY], time=TIME, label=LABEL), rows.write_csv(
        datetime_format="%Y-%m-%dT%H:%M:%SZ"
    )


def orders(count: int = 3_000, customers: int = 80, days: int = 90, seed: int = 7) -> pl.DataFrame:
    """Simulates orders whose customers differ in how often they return what they bought."""
    rng = np.random.default_rng(seed)
    customer = rng.integers(customers, size=count)
    seconds = np.sort(rng.integers(days * 86_400, size=count))
    first_day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)
    returns = rng.beta(1.0, 3.0, size=customers)[customer]
    return pl.DataFrame(
        {
            KEY: [f"c{number:03}" for number in customer],
            "product": [f"p{number:02}" for number in rng.zipf(1.6, size=count) % 40],
            "cents": rng.integers(500, 20_000, size=count),
            "voucher": rng.random(count) < 0.2,
            LABEL: rng.random(count) < returns,
            TIME: [first_day + timedelta(seconds=int(second)) for second in seconds],
        }
    )
