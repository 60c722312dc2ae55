"""``refrain model attack`` on the small worlds: every model has an attack; curves reach its records and its card."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from feature_repo.errors import InputError
from feature_repo.home import Home
from refrain.cli import app
from training.models.find import models
from training.robustness.attack import attacks
from training.robustness.curve import curve_points, from_json, to_json
from training.robustness.measure import measure
from training.robustness.records import read, record_of, write
from training.robustness.run import attack_model, numbers
from training.robustness.subject import subject_of, subjects
from training.robustness.target import Target

BRIEF = {
    "texts": ["typos"],
    "rows": ["feature_noise", "hidden_features"],
    "histories": ["dropped_plays", "false_plays"],
    "series": ["outages"],
    "detections": ["mimicry"],
    "streams": ["slow_drift"],
}
"""Kind of target → attacks that take little time."""
IN_WORLDS = (
    ("world", "recommendation"),
    ("written", "text_embedder"),
    ("written", "metadata_tagger"),
    ("telemetry", "security_anomaly_detector"),
    ("telemetry", "audio_quality_anomaly_detector"),
)


@pytest.mark.parametrize("name", sorted(models()))
def test_every_model_has_an_attack(name: str, home: Home) -> None:
    subject, model = subject_of(name, home)
    assert model is not None
    for kind in subject.kinds:
        assert [one for one in attacks().values() if kind in one.kinds], kind


def test_every_attack_has_a_target() -> None:
    kinds = {kind for one in subjects().values() for kind in one.kinds}
    assert {kind for one in attacks().values() for kind in one.kinds} == kinds


@pytest.mark.parametrize(("world_name", "name"), IN_WORLDS)
def test_curves_reach_the_records(world_name: str, name: str, request: pytest.FixtureRequest) -> None:
    """From none to strong; the world is read only, so the records are taken away again."""
    home: Home = request.getfixturevalue(f"in_{world_name}")
    kind = subject_of(name, home)[0].kinds[0]
    try:
        result = attack_model(home, name, attacks=BRIEF[kind][:1], rows=24)
        assert result.curves
        if kind == "histories":
            again = attack_model(home, name, attacks=BRIEF[kind][:1], rows=24)
            assert to_json(result.curves) == to_json(again.curves)
        assert read(home, name, result.version) == from_json(to_json(result.curves))
        for curve in result.curves:
            assert curve.judged
            assert np.isfinite([curve.clean.mean, *(point.figure.mean for point in curve.points)]).all()
            assert len(curve.points) == len(attacks()[curve.attack].strengths)
    finally:
        path = record_of(home, name, 1)
        path.unlink(missing_ok=True)
        path.with_suffix(".html").unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["churn_model", "chart_forecaster"])
def test_too_little_data_is_said_with_the_next_command(name: str, home: Home) -> None:
    from feature_repo.errors import RefrainError

    with pytest.raises(RefrainError) as error:
        attack_model(home, name)
    assert error.value.next_command


def test_the_command_shows_curves_and_the_card_has_them(own_written: Home) -> None:
    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["model", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "## Robustness" not in run("card", "sentiment_model")
    shown = run("attack", "sentiment_model", "--attack", "typos", "--strengths", "0.2,0.9", "--rows", "30")
    assert "Held out" in shown
    assert "change" in shown
    record = json.loads(run("attack", "sentiment_model", "--attack", "letter_case", "--rows", "20", "--json"))
    assert (record["model"], record["version"], record["left_out"]) == ("sentiment_model", 1, {})
    assert [point["change"]["mean"] for point in record["curves"][0]["points"]] == [0.0, 0.0, 0.0]
    card = run("card", "sentiment_model")
    assert "| typos | accuracy |" in card  # the second run keeps what the first one measured
    assert "| letter_case | accuracy |" in card
    facts = json.loads(run("card", "sentiment_model", "--format", "json"))
    assert {one["attack"] for one in facts["robustness"]} == {"typos", "letter_case"}
    assert "<h2>Robustness</h2><figure" in run("card", "sentiment_model", "--format", "html")
    assert "nothing is masked" not in run("attack", "masking", "--attack", "typos", "--rows", "20")
    page = own_written.root / "reports" / "robustness-masking.html"
    assert "share_masked" in page.read_text()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("no_such_model",), "no_such_model"),
        (("sentiment_model:9",), "no version 9"),
        (("sentiment_model:²",), "no version ²"),
        (("sentiment_model", "--attack", "pgd"), "'pgd'"),
        (("sentiment_model", "--strengths", "0.1,x"), "0.1,x"),
        (("sentiment_model", "--strengths", "-1"), "-1"),
        (("sentiment_model", "--strengths", "nan"), "nan"),
        (("tempo_and_key",), "--sounds"),
        (("tempo_and_key", "--sounds", "/nowhere"), "/nowhere"),
        (("text_embedder:7",), "no version 7"),
    ],
)
def test_what_is_wrong_is_said_with_the_next_command(words: tuple[str, ...], text: str, in_written: Home) -> None:
    result = CliRunner().invoke(app, ["model", "attack", *words])
    assert result.exit_code == 1
    assert text in result.output
    assert "Next" in result.output


def test_no_units_and_one_unit() -> None:
    """Nothing to attack is an error; one unit has a figure without an interval, which JSON keeps."""

    def margins(texts: list[str], units: np.ndarray) -> np.ndarray:
        return np.ones(len(texts))

    with pytest.raises(InputError, match="units to attack"):
        measure([Target("texts", [], margins, "accuracy")], names=["typos"])
    (curve,) = measure([Target("texts", ["one text"], margins, "accuracy")], names=["typos"]).curves
    assert curve.clean.mean == 1.0
    assert np.isnan(curve.clean.low)
    (stored,) = from_json(json.loads(json.dumps(to_json([curve]))))
    assert np.isnan(stored.points[0].change.low)


def test_torch_that_is_missing_is_left_out_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real_import = builtins.__import__

    def without_torch(name: str, *arguments: object, **options: object) -> object:
        if name == "torch":
            raise ImportError(name)
        return real_import(name, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_torch)
    from onnx import TensorProto, helper

    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 2])] for name in ("x", "y")]
    graph = helper.make_model(helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "graph", *ends))
    extra = {"scale": np.ones(2), "movable": np.ones(2, bool), "grids": (), "low": -1.0, "high": 1.0}
    target = Target(
        "rows",
        np.ones((4, 2), np.float32),
        lambda rows, units: np.ones(len(rows)),
        "accuracy",
        labels=np.zeros(4, np.int64),
        extra={**extra, "graph": graph.SerializeToString()},
    )
    assert "torch" not in measure([target], names=["feature_noise"]).left_out
    assert "refrain" in measure([target]).left_out["pgd"]
    with pytest.raises(InputError, match="torch"):
        measure([target], names=["pgd"])


def test_a_damaged_record_counts_as_none(home: Home, tmp_path: Path) -> None:
    points = curve_points(np.ones(4), np.zeros((1, 4)), [1.0], np.arange(4), 0)
    assert points[1][0].change.mean == -1.0
    assert write(home, "model", 1, (), {}).suffix == ".html"
    record_of(home, "model", 1).write_text("{")
    assert read(home, "model", 1) == ()
    assert numbers("") == []
