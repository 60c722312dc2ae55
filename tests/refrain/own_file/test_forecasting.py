"""Forecasts of a person's own series: every series has an answer or one error, and nothing is claimed lightly."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo.errors import InputError
from refrain.cli import app
from refrain.own_file import forecasting
from refrain.own_file.forecasting import Origins, _without, forecast_file
from refrain.own_file.result import Result
from refrain.own_file.series import Request, filled, read_series
from refrain.own_file.steps import DAY, SECOND, Step, likely_step
from refrain.own_file.table import OwnFile
from training.models.forecasting.backtest import backtest
from training.models.forecasting.naive import LastValue, RecentMean, SeasonalMean, SeasonalNaive
from training.models.forecasting.panel import Panel

START = datetime(2024, 1, 1)
STORES = "abcdefghijklmnopqrstuvwx"


@pytest.fixture
def quick_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only forecasters that need no compilation."""
    members = [LastValue(), SeasonalNaive(), RecentMean(14), SeasonalMean()]
    monkeypatch.setattr(forecasting, "_members", lambda panel, step, work, seed: (members, ""))


def sales(days: int = 140, stores: str = "ab", seed: int = 0) -> pl.DataFrame:
    """Daily sales of stores with a weekly season, each in a region."""
    rng = np.random.default_rng(seed)
    rows = [
        ((START + timedelta(day)).date(), store, "north" if place % 2 else "south", value)
        for place, store in enumerate(stores)
        for day in range(days)
        for value in [round(float(50 + 20 * place + 15 * np.sin(2 * np.pi * day / 7) + rng.normal(0, 4)), 2)]
    ]
    return pl.DataFrame(rows, schema=["date", "store", "region", "sales"], orient="row")


def file_of(folder: Path, rows: pl.DataFrame) -> OwnFile:
    path = folder / "sales.csv"
    rows.write_csv(path)
    return OwnFile.read(path)


def forecast(folder: Path, rows: pl.DataFrame, horizon: int = 7, **request: object) -> Result:
    return forecast_file(file_of(folder, rows), Request(**request), horizon=horizon)  # type: ignore[arg-type]


@pytest.mark.usefixtures("quick_members")
def test_series_with_a_season_are_forecast_better_than_by_the_last_season(tmp_path: Path) -> None:
    result = forecast(tmp_path, sales(140, STORES), series=("store",))
    assert result.verdict.outcome == "pass", result.verdict
    assert result.answers.height == len(STORES) * 7
    assert result.answers["time"].min() == (START + timedelta(140)).replace(tzinfo=UTC)
    day = np.arange(140, 147)
    truth = np.concatenate([50 + 20 * place + 15 * np.sin(2 * np.pi * day / 7) for place in range(len(STORES))])
    assert np.abs(result.answers["forecast"].to_numpy() - truth).mean() < 3
    ends = result.answers.select("lower_95", "lower_80", "forecast", "upper_80", "upper_95").to_numpy()
    assert (np.diff(ends, axis=1)[:, [0, 3]] >= 0).all()
    assert (ends[:, 0] < truth).mean() > 0.8
    assert (ends[:, 4] > truth).mean() > 0.8


@pytest.mark.usefixtures("quick_members")
def test_noise_is_not_called_surely_better(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows = sales(100, "a").with_columns(sales=pl.Series(50 + np.cumsum(rng.normal(0, 1, 100))))
    result = forecast(tmp_path, rows, series=("store",))
    assert result.verdict.outcome in ("undecided", "fail", "pass")
    assert result.verdict.outcome != "pass" or "better than seasonal_naive" in result.verdict.words


@pytest.mark.usefixtures("quick_members")
def test_forecasts_of_a_hierarchy_add_up(tmp_path: Path) -> None:
    result = forecast(tmp_path, sales(120, "abc"), series=("store",), groups=("region",))
    totals = result.answers.group_by("level", "time").agg(pl.col("forecast").sum()).sort("time", "level")
    by_level = totals.pivot("level", index="time", values="forecast")
    np.testing.assert_allclose(by_level["series"], by_level["total"], rtol=1e-6)
    np.testing.assert_allclose(by_level["region"], by_level["total"], rtol=1e-6)
    assert set(result.answers["series"]) >= {"north", "south", "all", "north / b"}


@pytest.mark.usefixtures("quick_members")
@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full(100, 5.0), "never change"),
        (np.full(10, 5.0) + np.arange(10), "too few"),
        (1e300 * (1 + np.arange(100) % 7), ""),
        (np.where(np.arange(100) % 30 == 3, -2.0, np.arange(100) % 9), "below 0"),
        (np.zeros(100), "never change"),
    ],
)
def test_odd_series_have_an_answer_with_the_reason(values: np.ndarray, words: str, tmp_path: Path) -> None:
    rows = pl.DataFrame({"day": [START + timedelta(day) for day in range(len(values))], "y": values})
    result = forecast(tmp_path, rows)
    assert words in " ".join(result.lines)
    assert np.isfinite(result.answers["forecast"].to_numpy()).all()
    assert result.answers["forecast"].max() <= values.max() * 1.5 + 1  # type: ignore[operator]
    if words in ("never change", "too few"):
        assert result.verdict.outcome == "undecided"


def test_gaps_are_filled_and_counted(tmp_path: Path) -> None:
    rows = sales(60, "a").filter(pl.col("date").dt.day() != 9)
    own = read_series(file_of(tmp_path, rows), Request())
    assert any("gaps: 2 steps" in line for line in own.lines)
    assert own.panel.steps == 60
    day = own.missing[0].nonzero()[0]
    np.testing.assert_array_equal(own.panel.values[0, day], own.panel.values[0, day - 7])


def test_what_is_filled_comes_from_the_past_and_is_not_measured() -> None:
    values, missing = np.arange(20.0)[None], np.zeros((1, 20), bool)
    missing[0, 14:17] = True
    later = np.where(np.arange(20) > 16, 99.0, values)
    assert (filled(values, missing, 7)[0, :17] == filled(later, missing, 7)[0, :17]).all()
    measured = _without(backtest(Panel(["a"], values), [LastValue()], 5, [8]), missing)
    assert np.isnan(measured.truth).tolist() == [[[False, False, True, True, True]]]


@pytest.mark.parametrize(
    ("columns", "request_fields", "expected", "following"),
    [
        ({"sales": ["1", "2"]}, {}, "a column with times", "--time COLUMN"),
        ({"date": ["2024-01-01", "2024-01-02"], "shop": ["a", "b"]}, {}, "a column with numbers", "--value COLUMN"),
        ({"date": ["2024-01-01"] * 2, "y": ["1", "2"]}, {}, "at least two different times", "--series COLUMN"),
        ({"date": ["2024-01-01", "2024-01-02"] * 2, "y": ["1"] * 2 + ["2"] * 2}, {}, "one value for", "--combine sum"),
        ({"date": ["2024-01-01", "2024-01-02"], "a": ["1", "2"], "b": ["3", "4"]}, {}, "one column", "--value a"),
        ({"date": ["2024-01-01", "soon"], "y": ["x", "-"]}, {"value": "y"}, "numbers in the column", "--value"),
        ({"date": ["2024-01-01", "2024-01-02"], "y": ["1", "2"]}, {"step": "often"}, "a step", "--step 1d"),
        ({"date": ["1990-01-01", "1990-01-01 00:00:01", "2024-01-01"], "y": ["1", "2", "3"]}, {}, "steps", "--step"),
    ],
)
def test_what_is_no_series_is_one_error(
    columns: dict[str, list[str]], request_fields: dict[str, str], expected: str, following: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as error:
        read_series(file_of(tmp_path, pl.DataFrame(columns)), Request(**request_fields))  # type: ignore[arg-type]
    assert expected in error.value.expected
    assert following in error.value.next_command


def test_the_step_is_found(tmp_path: Path) -> None:
    months = [datetime(2023 + month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in range(30)]
    quarters, last_days = months[::3], [month - timedelta(1) for month in months[1:]]
    hours = [datetime(2024, 1, 1, 0, 30, tzinfo=UTC) + timedelta(hours=hour) for hour in range(50) if hour != 7]
    found = [likely_step([pl.Series(times)]) for times in (months, quarters, last_days, hours, months[::12])]
    assert [step.words for step in found if step] == ["1 month", "3 months", "1 month", "1 h", "1 year"]
    assert found[0] and found[0].seasons == (12,)
    assert found[3] and found[3].seasons == (24, 168)
    assert found[3].moment(int(found[3].numbers(pl.Series(hours[:1]))[0])) == hours[0]


def test_origins_of_the_test_come_after_those_of_the_validation() -> None:
    origins = Origins.of(200, 1, 10)
    assert max(origins.test) < min(origins.validation)
    assert Origins.of(20, 1, 10) == Origins([], [])


def test_a_word_that_is_no_file_is_one_error() -> None:
    failed = CliRunner().invoke(app, ["forecast", "track"])
    assert failed.exit_code == 1
    assert "refrain forecast track ID" in failed.stderr


@pytest.mark.journeys
def test_the_command_chooses_measures_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sales(260, "ab").write_csv(tmp_path / "sales.csv")
    words = ["forecast", "sales.csv", "--horizon", "7", "--series", "store", "--out", "a.parquet"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "verdict: surely better" in done.stdout
    assert pl.read_parquet("a.parquet").height == 14
    assert "Models on the test" in (tmp_path / "sales.forecast.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "sales.csv", "sales.forecast.html"]
    again = CliRunner().invoke(app, [*words[:-1], "b.parquet"])
    assert again.exit_code == 0
    assert pl.read_parquet("b.parquet").equals(pl.read_parquet("a.parquet"))


@pytest.mark.parametrize(
    ("step", "has_changes"),
    [(Step(micros=3_600 * SECOND), False), (Step(micros=7 * DAY), True), (Step(months=1), True)],
)
def test_changes_from_the_last_value_are_forecast_for_days_and_longer_steps(step: Step, has_changes: bool) -> None:
    panel = Panel(["a", "b"], np.random.default_rng(0).random((2, 300)), step.seasons)
    names = [member.name for member in forecasting._members(panel, step, 0, 0)[0]]
    assert ("global_change" in names) is has_changes
    assert "global_lightgbm" in names
