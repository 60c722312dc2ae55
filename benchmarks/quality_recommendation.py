"""Quality of recommenders on public data, by the four protocols in ``benchmarks/protocols``.

Only full rankings, no sampled negatives. Settings are chosen on validation; test is measured once. Figures are means
over users, with 95 % intervals of NDCG@10; coverage is the share of the catalogue in any user's top ten. If a protocol
has several seeds, the means over them come last.

Judged on: held out, by time or at random: settings are chosen on validation. The algorithms were developed on the
same data sets, so small differences to rivals mean little.

    REFRAIN_TEST_DATA=../shared/data python -m benchmarks.quality_recommendation [--only cold_artists]
"""

import argparse
import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.protocols.row import Row
from benchmarks.surroundings import MACHINE, data_set

PROTOCOLS = ("hetrec", "movielens_time", "movielens_moments", "movielens_last_out", "cold_artists")
ON_REQUEST = ("yambda_time",)
"""Protocols on data that are downloaded first; only run where they are named."""


def main() -> None:
    """Print the tables and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", choices=(*PROTOCOLS, *ON_REQUEST), action="append", help="run only this protocol; may be repeated"
    )
    cases: list[dict[str, Any]] = []
    for name in parser.parse_args().only or PROTOCOLS:
        protocol = import_module(f"benchmarks.protocols.{name}")
        rows = []
        print(f"\n{protocol.NAME}")
        print(
            f"{'model':26}{'seed':>5}{'NDCG@10':>9}{'± 95 %':>9}{'R@10':>8}{'R@20':>8}{'coverage':>10}{'users':>7}"
            "  chosen on validation"
        )
        for row in protocol.measure(data_set(protocol.DATA)):
            rows.append(row)
            show(row)
        rows += list(means(rows))
        for row in rows[len(rows) - len({row.model for row in rows}) :] if rows[0].seed is not None else ():
            show(row)
        cases += cases_of(protocol.NAME, protocol.GOAL, rows)
    print(json.dumps({"benchmark": "quality_recommendation", "machine": MACHINE, "cases": cases}))


def means(rows: list[Row]) -> Iterator[Row]:
    """Average the rows of each model over its seeds."""
    if rows[0].seed is None:
        return
    for model in dict.fromkeys(row.model for row in rows):
        model_rows = [row for row in rows if row.model == model]
        fields = model_rows[0].values()
        mean = {name: float(np.mean([row.values()[name] for row in model_rows])) for name in fields}
        metrics = type(model_rows[0].metrics)(**{**mean, "users": model_rows[0].metrics.users})
        yield Row(model, f"mean of {len(model_rows)} seeds", metrics)


def show(row: Row) -> None:
    """Print one row of the table."""
    numbers = row.metrics
    seed = "" if row.seed is None else str(row.seed)
    print(
        f"{row.model:26}{seed:>5}{numbers.ndcg_at_10:9.4f}{numbers.ndcg_interval:9.4f}{numbers.recall_at_10:8.4f}"
        f"{numbers.recall_at_20:8.4f}{numbers.coverage_at_10:10.3f}{numbers.users:7}  {row.setting}",
        flush=True,
    )


def cases_of(name: str, goal: dict[str, float], rows: list[Row]) -> Iterator[dict[str, Any]]:
    """Convert rows to cases; the goal applies to the blend, or else to the first model."""
    reported_rows = [row for row in rows if row.seed is None]
    goal_model = next((row.model for row in reported_rows if row.model == "blend"), reported_rows[0].model)
    for row in reported_rows:
        for metric, value in row.values().items():
            goal_of_metric = {"goal": f">= {goal[metric]}"} if row.model == goal_model and metric in goal else {}
            case = {"case": name, "model": row.model, "setting": row.setting, "metric": metric}
            yield {**case, "value": round(value, 4), **goal_of_metric}


if __name__ == "__main__":
    main()
