"""A monitor of a plant that learns from 400 rows: a made-up water circuit with a valve that closes."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality_skab import PlantRun, alarms, corpus, figures
from feature_repo.errors import InputError
from training.models.anomaly.plant import PlantMonitor, moving_average, trend_share

ROWS, FAULT = 1_150, slice(570, 970)
SENSORS = (
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Thermocouple",
    "Voltage",
    "Volume Flow RateRMS",
)


def plant(seed: int, severity: float) -> PlantRun:
    """A run of the circuit, a row a second; a fault of severity 1 moves the flow by its noise."""
    rng = np.random.default_rng(seed)

    def slow(memory: float) -> np.ndarray:
        noise = rng.normal(0, np.sqrt(1 - memory**2), ROWS)
        values = np.empty(ROWS)
        values[0] = rng.normal()
        for row in range(1, ROWS):
            values[row] = memory * values[row - 1] + noise[row]
        return values

    def noise(size: float) -> np.ndarray:
        return rng.normal(0, size, ROWS)

    load, closed = slow(0.9), np.zeros(ROWS)
    closed[FAULT] = np.minimum(np.arange(FAULT.stop - FAULT.start) / 30, 1) * severity
    warming = np.cumsum(rng.normal(0.004, 0.02, ROWS))
    values = (
        0.03 + 0.002 * (load + 0.5 * closed + noise(1)) * (1 + 0.2 * closed),
        0.04 + 0.003 * (load + noise(1)),
        1.0 + 0.3 * (load - closed + noise(0.6)),
        np.round(3 * (0.1 * load + 0.3 * closed + noise(0.4))) / 10,
        70 + warming + noise(0.1),
        25 + 0.4 * warming + noise(0.05),
        230 + 5 * (slow(0.5) + noise(0.5)),
        30 + load - closed + noise(0.5),
    )
    anomaly = np.zeros(ROWS, bool)
    anomaly[FAULT] = True
    return PlantRun(f"{seed}", np.arange(ROWS) * 1_000_000, dict(zip(SENSORS, values, strict=True)), anomaly)


@pytest.fixture(scope="module")
def monitored() -> list[tuple[PlantRun, np.ndarray]]:
    """Runs with a fault, and their alarms."""
    return [(run, alarms(run)) for run in (plant(0, 2.0), plant(1, 3.0))]


def test_faults_are_found_from_400_rows_and_false_alarms_are_few(monitored: list[tuple[PlantRun, np.ndarray]]) -> None:
    result = figures(monitored).as_json()
    assert result["f1"] >= 0.8
    assert result["false_alarm_rate"] <= 0.2  # the average falls slowly after a fault
    before = [alarm[: FAULT.start].mean() for _, alarm in monitored]
    assert np.mean(before) <= 0.08
    assert not any(alarm[:400].any() for _, alarm in monitored)


def test_sensors_that_still_move_are_left_out_and_an_alarm_uses_no_later_row() -> None:
    run = plant(3, 2.0)
    monitor = PlantMonitor.fit({name: values[:150] for name, values in run.values.items()})
    assert monitor.unsettled
    assert set(monitor.unsettled) <= {"Temperature", "Thermocouple"}
    whole = monitor.averages(run.values)
    np.testing.assert_allclose(monitor.averages({name: v[:700] for name, v in run.values.items()}), whole[:700])


def test_averages_and_trends() -> None:
    np.testing.assert_allclose(moving_average(np.full(9, 2.0)), 2.0)
    assert moving_average(np.array([0.0, 15.0]), 15)[1] == pytest.approx(1.0)
    assert trend_share(np.arange(50.0)) == pytest.approx(1)
    assert trend_share(np.full(50, 3.0)) == trend_share(np.array([1.0, np.nan])) == 0


def test_files_in_the_layout_of_skab_are_read(tmp_path: Path) -> None:
    (tmp_path / "valve1").mkdir()
    (tmp_path / "anomaly-free").mkdir()
    rows = ["datetime;Pressure;Volume Flow RateRMS;anomaly;changepoint", "2020-03-09 10:14:33;0.38;32.0;1.0;0.0"]
    (tmp_path / "valve1" / "0.csv").write_text("\n".join(rows))
    (tmp_path / "anomaly-free" / "anomaly-free.csv").write_text("datetime;Pressure\n2020-03-09 10:14:33;0.4")
    (run,) = corpus(tmp_path)
    assert (run.name, list(run.values), run.anomaly.tolist()) == (
        "valve1/0.csv",
        ["Pressure", "Volume Flow RateRMS"],
        [True],
    )
    (tmp_path / "valve1" / "0.csv").write_text("datetime;Pressure\n2020-03-09 10:14:33;0.4")
    with pytest.raises(InputError, match="anomaly"):
        corpus(tmp_path)
