"""``refrain model leaks`` on the small worlds: figures reach records and cards; few people are undecided."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from feature_repo.bundle import MANIFEST
from feature_repo.encryption.bundle_files import seal_files
from feature_repo.encryption.local_key import new_text
from feature_repo.encryption.places import forget_checks
from feature_repo.encryption.settings import KEY
from feature_repo.errors import BundleError, EncryptionError
from feature_repo.home import Home
from refrain.cli import app
from training.cards import markdown
from training.datasets.texts import LabelledTexts
from training.exact.kept import FILE
from training.models.find import models
from training.models.tabular import TabularModel
from training.models.text.linear_stack import MemberRecipe, Recipe, fit
from training.private.leaks import private_ease, shadows
from training.private.leaks.leak import from_json, to_json
from training.private.leaks.records import read, record_of, write
from training.private.leaks.run import measure_model
from training.private.leaks.subject import Request, subject_of
from training.private.leaks.subjects import rows
from training.private.leaks.texts import measure_texts


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["model", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def measured(in_world: Home) -> Iterator[Home]:
    """The world, whose record is taken away again."""
    yield in_world
    record_of(in_world, "recommendation", 1).unlink(missing_ok=True)


def test_figures_reach_the_record_and_the_card(measured: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadows, "DECISIONS", 2_000)
    assert "## Leaks" not in run("card", "recommendation")
    record = json.loads(run("leaks", "recommendation", "--people", "60", "--shadows", "10", "--json"))
    assert (record["model"], record["version"]) == ("recommendation", 1)
    by_part = {(leak.attack, leak.part): leak for leak in from_json(record["leaks"]) if "1.0%" in leak.measure}
    assert by_part[("lira", "weights of EASE")].verdict == "gives it away"
    assert by_part[("lira", "sums of transitions")].verdict == "gives it away"
    assert {leak["attack"] for leak in record["leaks"]} == {"lira", "loss_threshold", "differencing", "attributes"}
    assert record["leaks"] == to_json(read(measured, "recommendation", 1))
    card = run("card", "recommendation")
    assert "## Leaks" in card
    assert "| lira | weights of EASE | true positives at 0.1% false positives |" in card
    assert "<h2>Leaks</h2>" in run("card", "recommendation", "--format", "html")
    facts = json.loads(run("card", "recommendation", "--format", "json"))
    assert facts["leaks"] == record["leaks"]
    again = measure_model(measured, "recommendation:1", people=60, shadows=10)
    assert to_json(again.leaks) == record["leaks"]
    few = run("leaks", "recommendation", "--people", "30")
    assert "undecided, 30 listeners, fewer than 50" in few
    assert {leak.value for leak in read(measured, "recommendation", 1) if leak.attack == "lira"} == {None}


def test_one_listener_is_undecided(in_alone: Home) -> None:
    result = measure_model(in_alone, "recommendation")
    record_of(in_alone, "recommendation", result.version or 0).unlink(missing_ok=True)
    assert {leak.value for leak in result.leaks if leak.attack in ("lira", "attributes")} == {None}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("no_such_model",), "no_such_model"),
        (("text_embedder",), "of which no attack on people is known"),
        (("recommendation:9",), "no version 9"),
        (("recommendation:one",), "no version one"),
        (("../recommendation",), "recommendation"),
    ],
)
def test_what_is_wrong_is_said_with_the_next_command(words: tuple[str, ...], text: str, in_world: Home) -> None:
    result = CliRunner().invoke(app, ["model", "leaks", *words])
    assert result.exit_code == 1
    assert text in result.output
    assert "Next" in result.output


def test_few_shadows_are_refused(in_world: Home) -> None:
    assert CliRunner().invoke(app, ["model", "leaks", "recommendation", "--shadows", "3"]).exit_code == 2


def test_versions_of_other_tenants_and_sealed_ones_that_were_changed_are_refused(
    own_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BundleError, match="no version 1"):
        measure_model(replace(own_world, tenant="acme"), "recommendation:1")
    key = tmp_path / "encryption.key"
    key.write_text(new_text())
    key.chmod(0o600)
    monkeypatch.setenv(KEY, f"file:{key}")
    forget_checks()
    assert seal_files(own_world.bundles("recommendation") / "1", own_world) > 0
    sums = own_world.bundles("recommendation") / "1" / FILE
    assert measure_model(own_world, "recommendation:1", people=20).version == 1  # sealed, and opened
    record_of(own_world, "recommendation", 1).unlink()
    content = bytearray(sums.read_bytes())
    content[-1] ^= 1
    sums.write_bytes(content)
    with pytest.raises(EncryptionError):
        measure_model(own_world, "recommendation:1")
    assert read(own_world, "recommendation", 1) == ()
    forget_checks()


def test_rows_of_people_are_asked_about_together(in_world: Home) -> None:
    _, model = subject_of("churn_model", in_world)
    assert isinstance(model, TabularModel)
    request = Request(in_world, replace(model, learner="linear"), None, 10, 2_000, 0, lambda done, of, text: None)
    figures, left_out = rows.measure(request)
    area = {leak.attack: leak for leak in figures if leak.measure.startswith("area")}
    assert not left_out
    assert 0.4 < (area["lira"].value or 0) <= 1
    assert "user" in area["lira"].judged
    assert {leak.value for leak in rows.measure(replace(request, people=40))[0]} == {None}


def test_texts_that_were_learned_by_heart_are_told(home: Home) -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{word}" for word in rng.integers(0, 400, 6)) for _ in range(120)]
    labelled = LabelledTexts.of(texts, ["good", "bad"] * 60)
    recipe = Recipe(members=(MemberRecipe("runs", present=False, strength=100.0),), fewest=1)
    request = Request(home, models(home)["sentiment_model"], None, 10, 2_000, 0, lambda done, of, text: None)

    def fit_texts(part: LabelledTexts, recipe: Recipe):  # type: ignore[no-untyped-def]
        owned = [np.array([row]) for row in range(len(part))]
        return fit(list(part.tokens), part.labels, labelled.classes, owned, recipe=recipe)

    leaks, _ = measure_texts(request, labelled, recipe, fit_texts)
    area = next(leak for leak in leaks if leak.attack == "lira" and leak.measure.startswith("area"))
    assert area.verdict == "gives it away"
    assert area.question == "Was this text learned from?"
    few, _ = measure_texts(replace(request, people=20), labelled, recipe, fit_texts)
    assert {leak.value for leak in few} == {None}


def test_a_damaged_record_counts_as_none_and_figures_of_other_attacks_may_stay(home: Home) -> None:
    (leak,) = from_json(
        [
            {
                "attack": "canaries",
                "part": "sums",
                "question": "Is it kept?",
                "measure": "lower bound of ε",
                "value": 0.5,
                "low": 0.5,
                "high": None,
                "chance": 1.0,
                "units": 3,
                "judged": "",
            }
        ]
    )
    write(home, "model", 1, [leak], {})
    write(home, "model", 1, [replace(leak, attack="lira", value=None)], {}, replaces=False)
    assert [one.attack for one in read(home, "model", 1)] == ["canaries", "lira"]
    write(home, "model", 1, [leak], {})
    assert [one.attack for one in read(home, "model", 1)] == ["canaries"]
    record_of(home, "model", 1).write_text("{")
    assert read(home, "model", 1) == ()


def test_a_private_version_is_asked_without_its_people(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are no plays at all; until it was measured, the card of such a version says so."""
    folder = home.bundles("recommendation") / "1"
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(json.dumps({"extra": {"privacy": {"epsilon": 4.0, "delta": 1e-6}}}))
    monkeypatch.setattr(private_ease, "PEOPLE", 1_250)
    result = measure_model(home, "recommendation:1")
    assert {leak.attack for leak in result.leaks} == {"lira", "canaries"}
    assert set(result.left_out) == {"attacks on its own people"}
    assert read(home, "recommendation", 1) == result.leaks
    facts = {"model": {"name": "recommendation", "version": 1}, "leaks": [], "privacy": {"epsilon": 4.0}}
    assert "Not measured. Next: `refrain model leaks recommendation:1`" in markdown.leaks(facts)
    assert markdown.leaks(facts | {"privacy": None}) == ""
    assert "stated 4.0000 | within what is stated" in markdown.leaks(facts | {"leaks": to_json(result.leaks)})
