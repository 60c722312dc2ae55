"""Classes of a person's own rows: a planted rule is found, noise is not called a rule, bad labels are one error."""

import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo.errors import InputError
from refrain.cli import app
from refrain.own_file import classification
from refrain.own_file.classification import Request, classify_file
from refrain.own_file.result import Result
from refrain.own_file.table import OwnFile


@pytest.fixture(autouse=True)
def quick_learners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classification, "LEARNED", ("linear",))


def rows(count: int = 300, *, noise: bool = False, unlabelled: int = 0) -> pl.DataFrame:
    """Rows whose label follows from two columns, or from nothing."""
    rng = np.random.default_rng(1)
    hours, plan = rng.normal(0, 1, count), rng.choice(["free", "paid"], count)
    chance = np.full(count, 0.5) if noise else 1 / (1 + np.exp(-3 * hours - 2 * (plan == "paid") + 1))
    label = [None] * unlabelled + np.where(rng.random(count) < chance, "stays", "leaves").tolist()[unlabelled:]
    return pl.DataFrame(
        {"customer": [f"c{n % 60}" for n in range(count)], "hours": hours, "plan": plan, "label": label}
    )


def classify(folder: Path, table: pl.DataFrame, **request: str) -> Result:
    path = folder / "rows.csv"
    table.write_csv(path)
    return classify_file(OwnFile.read(path), Request(**request))  # type: ignore[arg-type]


def test_a_rule_is_found_and_rows_without_a_label_are_answered(tmp_path: Path) -> None:
    table = rows(unlabelled=20)
    result = classify(tmp_path, table)
    assert result.verdict.outcome == "pass", result.verdict
    assert result.answers["row"].to_list() == list(range(1, 21))
    sure = result.answers.filter(pl.col("chance") > 0.9)
    assert sure.height >= 3
    expected = np.where(table["hours"].to_numpy()[sure["row"].to_numpy() - 1] > 0, "stays", "leaves")
    assert (sure["answer"].to_numpy() == expected).mean() > 0.7


def test_noise_is_no_rule(tmp_path: Path) -> None:
    assert classify(tmp_path, rows(noise=True)).verdict.outcome != "pass"


def test_texts_are_learned_from(tmp_path: Path) -> None:
    draw = random.Random(1)
    plain = ["the", "a", "record", "song", "album", "voice", "band", "of", "and", "this"]
    kinds = {"joy": ["lovely", "bright", "happy"], "anger": ["awful", "broken", "rude"], "rare": ["odd"]}
    labels = ["joy", "anger"] * 60 + ["rare"] * 3
    texts = [" ".join([*draw.choices(plain, k=5), draw.choice(kinds[label])]) for label in labels]
    result = classify(tmp_path, pl.DataFrame({"tweet": texts, "emotion": labels}), label="emotion")
    assert result.verdict.outcome == "pass", result.verdict
    assert any("left out: 1 classes with fewer than 8 rows: rare 3" in line for line in result.lines)


def test_people_stay_together_and_one_person_decides_nothing(tmp_path: Path) -> None:
    result = classify(tmp_path, rows(), user="customer")
    assert any("split by person" in line for line in result.lines)
    assert "12 independent test cases" in result.verdict.words
    few = rows().with_columns(customer=pl.Series(["a", "b", "c"] * 100))
    assert classify(tmp_path, few, user="customer").verdict.outcome == "undecided"


def test_a_column_that_is_the_label_is_suspicious(tmp_path: Path) -> None:
    result = classify(tmp_path, rows().with_columns(paid_back=(pl.col("label") == "stays").cast(pl.Int64) * 7))
    assert result.verdict.outcome == "undecided"
    assert "'paid_back'" in result.verdict.words


def test_labels_in_turn_make_no_leak(tmp_path: Path) -> None:
    table = pl.DataFrame({"name": [f"n{n}" for n in range(100)], "kind": ["x"] * 100, "label": ["yes", "no"] * 50})
    result = classify(tmp_path, table)
    assert not any("suspicious" in line for line in result.lines)


def test_rows_with_times_are_split_by_time(tmp_path: Path) -> None:
    day = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 10, 26), eager=True)
    result = classify(tmp_path, rows().with_columns(date=day))
    assert any(line.startswith("split by time: 180, 60 and 60 rows") for line in result.lines)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["yes"] * 100, "one: 'yes' in 100 rows"),
        ([None] * 100, "no value in any row"),
        (["yes", "no"] * 5, "10 labelled rows"),
        ([str(number / 7) for number in range(100)], "100 different numbers"),
        ([f"text {number}" for number in range(100)], "100 different texts"),
        (["yes"] * 97 + ["no"] * 3, "'no' 3"),
    ],
)
def test_labels_that_nobody_can_learn_are_one_error(labels: list[str | None], found: str, tmp_path: Path) -> None:
    table = pl.DataFrame({"hours": range(len(labels)), "label": pl.Series(labels, dtype=pl.String)})
    with pytest.raises(InputError) as error:
        classify(tmp_path, table)
    assert found in error.value.found
    assert "--label" in error.value.next_command


def test_a_file_of_labels_alone_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="beside the label"):
        classify(tmp_path, pl.DataFrame({"label": ["yes", "no"] * 50}))


def test_the_command_answers_and_explains_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows(unlabelled=5).write_csv(tmp_path / "rows.csv")
    done = CliRunner().invoke(app, ["classify", "rows.csv", "--label", "label", "--out", "a.parquet"])
    assert done.exit_code == 0, done.output
    assert pl.read_parquet("a.parquet").height == 5
    assert "<svg" not in (tmp_path / "rows.classify.html").read_text()
    failed = CliRunner().invoke(app, ["classify", "rows.csv", "--label", "labels"])
    assert failed.exit_code == 1
    assert "--label label" in failed.stderr
