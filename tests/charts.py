"""Made-up charts: titles that come, climb, fall and sometimes return."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from tests.music import TABLES

START = datetime(2010, 1, 2, tzinfo=UTC)


def entries(weeks: int = 180, size: int = 30, seed: int = 0, missing: tuple[int, ...] = ()) -> pl.DataFrame:
    """Rows of ``chart_entries``, the weeks of ``missing`` left out."""
    rng = np.random.default_rng(seed)
    titles = weeks * 2
    born = rng.integers(-20, weeks, titles)
    strength = rng.normal(0, 1, titles)
    life = rng.uniform(4, 14, titles)
    rows = []
    for week in range(weeks):
        age = week - born
        appeal = strength + np.log(np.maximum(age, 0.1) / life) - age / life
        appeal = np.where(age % 52 < 3, appeal + (age > 50) * (strength > 1.2) * 40, appeal)  # some return each year
        appeal = np.where(age < 0, -np.inf, appeal + rng.normal(0, 0.15, titles))
        if week in missing:
            continue
        for place, title in enumerate(np.argsort(-appeal)[:size]):
            rows.append(
                {
                    "chart": "hot100",
                    "track_id": f"bb:hot100:t{title}",
                    "artist_id": f"bb:a{title % 17}",
                    "rank": place + 1,
                    "event_timestamp": START + timedelta(weeks=week),
                }
            )
    return TABLES["chart_entries"].conform(pl.DataFrame(rows))
