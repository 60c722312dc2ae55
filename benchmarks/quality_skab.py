"""Detection of faults of a plant from few normal rows (the layout and protocol of SKAB).

SKAB (I. Katser, V. Kozitsin, Skoltech Anomaly Benchmark, 2020) has files of a water circuit with eight sensors, a row a
second, columns ``datetime;Accelerometer1RMS;…;anomaly;changepoint``. Its protocol: in each file the first 400 rows are
normal and all there is to learn from; every later row is judged; false alarms, missed rows and F1 are of the rows of
all files together. Published there: T² and Q of principal components F1 .76, a convolutional autoencoder .78.

The monitor is ``training.models.anomaly.plant``: one configuration, chosen on the made-up plant of the tests. Alarms
are at a probability, never at a threshold that labels choose.

Judged on: never seen: the corpus is not in the data folder; name its folder.

    python -m benchmarks.quality_skab --data FOLDER
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.surroundings import MACHINE, data_set
from feature_repo.errors import InputError
from training.models.anomaly.plant import PlantMonitor

NORMAL = 400
GOAL = 0.80
LABELS = ("anomaly", "changepoint")


@dataclass(frozen=True)
class PlantRun:
    """One file of a plant.

    Attributes:
        name: folder and file name.
        times: (n,) microseconds.
        values: sensor → (n,) values.
        anomaly: (n,) bool, labels.
    """

    name: str
    times: np.ndarray
    values: dict[str, np.ndarray]
    anomaly: np.ndarray


@dataclass(frozen=True)
class Figures:
    """Counts of rows over all files.

    Attributes:
        found: abnormal rows with an alarm.
        missed: abnormal rows without one.
        false: normal rows with an alarm.
        normal: normal rows.
    """

    found: int
    missed: int
    false: int
    normal: int

    def as_json(self) -> dict[str, float]:
        """F1, and the shares of false alarms and of missed rows."""
        return {
            "f1": round(2 * self.found / max(2 * self.found + self.missed + self.false, 1), 4),
            "false_alarm_rate": round(self.false / max(self.normal, 1), 4),
            "missed_rate": round(self.missed / max(self.found + self.missed, 1), 4),
        }


def load(path: Path) -> PlantRun:
    """Read one file.

    Raises:
        InputError: a column of the layout is missing.
    """
    frame = pl.read_csv(path, separator=";")
    missing = [name for name in ("datetime", "anomaly") if name not in frame.columns]
    if missing:
        raise InputError(
            expected=f"columns datetime;…;anomaly;changepoint in {path.name}",
            found=f"no {missing}",
            next_command="python -m benchmarks.quality_skab --data FOLDER  (the folder data/ of SKAB)",
        )
    sensors = [name for name in frame.columns if name not in ("datetime", *LABELS)]
    return PlantRun(
        f"{path.parent.name}/{path.name}",
        frame["datetime"].str.to_datetime("%Y-%m-%d %H:%M:%S").dt.timestamp("us").to_numpy(),
        {name: frame[name].cast(pl.Float64).to_numpy() for name in sensors},
        frame["anomaly"].to_numpy() > 0,
    )


def corpus(folder: Path) -> list[PlantRun]:
    """Read every labelled file below a folder; the file without anomalies, which has no labels, is left out."""
    return [load(path) for path in sorted(folder.glob("**/*.csv")) if path.parent.name != "anomaly-free"]


def alarms(run: PlantRun, normal: int = NORMAL) -> np.ndarray:
    """Alarms (n,) of a monitor that learned from the first rows; never one in these."""
    monitor = PlantMonitor.fit({name: values[:normal] for name, values in run.values.items()})
    alarm = monitor.alarms(run.values)
    alarm[:normal] = False
    return alarm


def figures(runs: Iterable[tuple[PlantRun, np.ndarray]], normal: int = NORMAL) -> Figures:
    """Count rows after the normal ones, over all files."""
    counts = np.zeros(4, int)
    for run, alarm in runs:
        label, raised = run.anomaly[normal:], alarm[normal:]
        counts += [(label & raised).sum(), (label & ~raised).sum(), (~label & raised).sum(), (~label).sum()]
    return Figures(*counts.tolist())


def measure(runs: list[PlantRun]) -> dict[str, Any]:
    """Measure all figures."""
    result = figures([(run, alarms(run)) for run in runs]).as_json()
    return {
        "benchmark": "quality_skab",
        "machine": MACHINE,
        "files": len(runs),
        "figures": result,
        "cases": [
            {
                "case": f"{len(runs)} files, first {NORMAL} rows normal",
                "metric": "f1",
                "value": result["f1"],
                "goal": f">={GOAL}",
                "met": result["f1"] >= GOAL,
            },
            {"case": "normal rows", "metric": "false_alarm_rate", "value": result["false_alarm_rate"]},
            {"case": "abnormal rows", "metric": "missed_rate", "value": result["missed_rate"]},
        ],
    }


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder data/ of SKAB")
    options = parser.parse_args()
    print(json.dumps(measure(corpus(data_set("skab", options.data)))))


if __name__ == "__main__":
    main()
