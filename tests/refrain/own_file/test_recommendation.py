"""Recommendations from a person's own file: planted groups are found, noise is not, one listener is one error."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo.errors import InputError
from refrain.cli import app
from refrain.own_file.recommendation import Request, recommend_from_file
from refrain.own_file.result import Result
from refrain.own_file.table import OwnFile


def plays(count: int = 1_500, *, people: int = 60, groups: int = 4, seed: int = 0) -> pl.DataFrame:
    """Plays of people who keep to the items of their group; of one group for noise."""
    rng = np.random.default_rng(seed)
    person, size = rng.integers(0, people, count), 60 // groups
    item = (person % groups) * size + rng.integers(0, size, count)
    times = np.sort(rng.integers(1_700_000_000, 1_710_000_000, count))
    return pl.DataFrame({"listener": [f"u{n}" for n in person], "track": [f"t{n}" for n in item], "ts": times})


def recommend(folder: Path, table: pl.DataFrame, **request: object) -> Result:
    path = folder / "plays.csv"
    table.write_csv(path)
    return recommend_from_file(OwnFile.read(path), Request(**request))  # type: ignore[arg-type]


@pytest.mark.parametrize("has_times", [True, False])
def test_planted_groups_are_found(has_times: bool, tmp_path: Path) -> None:
    table = plays() if has_times else plays().drop("ts")
    result = recommend(tmp_path, table, count=2)
    assert result.verdict.outcome == "pass", result.verdict
    known = set(table.select("listener", "track").iter_rows())
    answers = [(user, item) for user, _, item, score in result.answers.iter_rows() if score > 1e-6]
    assert len(answers) > 20
    assert not known & set(answers)
    of_group = {user: len({item for name, item in known if name == user}) for user, _ in answers}
    fitting = [int(user[1:]) % 4 == int(item[1:]) // 15 for user, item in answers if of_group[user] <= 13]
    assert np.mean(fitting) > 0.8


def test_noise_is_not_called_surely_better(tmp_path: Path) -> None:
    result = recommend(tmp_path, plays(groups=1, seed=3))
    assert result.verdict.outcome != "pass", result.verdict


def test_few_people_are_undecided_and_still_answered(tmp_path: Path) -> None:
    result = recommend(tmp_path, plays(400, people=5))
    assert result.verdict.outcome == "undecided"
    assert "10 are needed" in result.verdict.words
    assert result.answers.height


def test_only_the_named_people_are_answered(tmp_path: Path) -> None:
    result = recommend(tmp_path, plays(), only=("u7",), count=3)
    assert result.answers["user"].to_list() == ["u7"] * result.answers.height
    with pytest.raises(InputError, match="'nobody'"):
        recommend(tmp_path, plays(), only=("nobody",))


@pytest.mark.parametrize(
    ("table", "expected", "following"),
    [
        (plays().with_columns(listener=pl.lit("me")), "two people", "refrain model run recommendation"),
        (plays(50), "100 rows", "more rows"),
        (plays().with_columns(track=pl.lit("t")), "two items", "--item"),
        (plays().select("track"), "a column with people", "--user"),
        (plays().select("listener", "ts"), "a column with items", "--item"),
    ],
)
def test_what_nothing_can_be_compared_in_is_one_error(
    table: pl.DataFrame, expected: str, following: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as error:
        recommend(tmp_path, table)
    assert expected in error.value.expected
    assert following in error.value.next_command


def test_the_command_writes_a_page_and_answers_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plays().write_csv(tmp_path / "plays.csv")
    words = ["recommend-from", "plays.csv", "--count", "3", "--seed", "4"]
    done = CliRunner().invoke(app, [*words, "--out", "a.csv", "--page", "a.md"])
    assert done.exit_code == 0, done.output
    assert "verdict: surely better" in done.stdout
    assert (tmp_path / "a.md").read_text().startswith("# Recommendations from plays.csv")
    again = CliRunner().invoke(app, [*words, "--out", "b.csv"])
    assert again.exit_code == 0, again.output
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"plays.csv", "a.csv", "a.md", "b.csv", "plays.recommend.html"}
    failed = CliRunner().invoke(app, [*words, "--out", "plays.csv/b.csv"])
    assert failed.exit_code == 1
    assert "--out" in failed.stderr
