"""Keys of nobody: their answers name the asker, and nobody else sees them; and the form of answers."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from feature_repo.home import Home
from feature_repo.model_theft import AnswerSettings, TheftSettings
from feature_repo.project import PROJECT
from inference.rows import Predictions
from inference.security.audit import AuditLog
from inference.security.caller import Caller, Limits
from inference.security.keys import KeyRing
from inference.security.theft.answer_form import form_answers
from inference.security.theft.canaries import Canaries
from refrain.cli import app

KEYS = [f"u9{number:05d}" for number in range(12)]


@pytest.fixture
def canaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Home, Canaries]:
    listed = ", ".join(f'"{key}"' for key in KEYS)
    (tmp_path / "refrain.toml").write_text(
        f'name = "shop"\ndefinitions = []\n[model_theft]\ncanaries = {{ user_id = [{listed}] }}\n'
    )
    monkeypatch.setenv(PROJECT, str(tmp_path))
    home = Home(tmp_path / "data", project_folder=tmp_path)
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    return home.ensure(), Canaries(home)


def _caller(name: str, digits: int | None = None) -> Caller:
    return Caller("1", name, "default", frozenset(), Limits(digits=digits))


def _answers(count: int, kind: str = "binary") -> Predictions:
    return Predictions(np.full(count, 0.25, np.float32), "m:1", kind, np.zeros(count, bool), np.zeros((count, 2)))  # type: ignore[arg-type]


def test_a_leaked_table_names_who_asked(canaries: tuple[Home, Canaries]) -> None:
    home, canaries_of_shop = canaries
    for name in ("ann", "bob"):
        KeyRing(home).create(name, ["predict"])
    keys = {"user_id": [*KEYS, "u1"]}
    values, known = canaries_of_shop.fill(_caller("ann"), "m", keys, _answers(13))
    assert known.tolist() == [True] * 12 + [False]
    assert values[12] == np.float32(0.25)
    assert len(set(values[:12].tolist())) > 8
    table = home.root / "leaked.csv"
    table.write_text("user_id,chance\n" + "".join(f"{key},{value}\n" for key, value in zip(KEYS, values, strict=False)))
    result = CliRunner().invoke(app, ["theft", "source", str(table), "--model", "m"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("ann")
    assert "12 of 12" in result.output
    sources = {
        source.owner: source
        for source in canaries_of_shop.find_source("m", dict(zip(KEYS, values.tolist(), strict=False)), ["ann", "bob"])
    }
    assert sources["ann"].p_value < 1e-12
    assert sources["bob"].p_value > 0.001
    table.write_text("user_id,chance\nu1,0.5\n")
    assert "no canary" in CliRunner().invoke(app, ["theft", "source", str(table), "--model", "m"]).output


@pytest.mark.parametrize(
    ("settings", "digits", "largest"),
    [
        (AnswerSettings(), None, 1e-30),
        (AnswerSettings(digits=2), None, 1e-20),
        (AnswerSettings(digits=2), 1, 1e-9),
        (AnswerSettings(labels_only=True), None, 1e-3),
    ],
)
def test_rounded_answers_name_who_asked_too(
    canaries: tuple[Home, Canaries], settings: AnswerSettings, digits: int | None, largest: float
) -> None:
    caller = _caller("ann", digits)
    values, _ = canaries[1].fill(caller, "m", {"user_id": KEYS}, _answers(12))
    answers = dict(zip(KEYS, form_answers(values, "binary", settings, caller), strict=True))
    first, *others = canaries[1].find_source("m", answers, ["ann", *(f"owner {number}" for number in range(40))])
    assert (first.owner, first.matches) == ("ann", 12)
    assert first.p_value < largest
    assert np.mean([other.p_value < 0.05 for other in others]) <= 0.1


def test_the_subject_of_a_token_is_named_too(canaries: tuple[Home, Canaries]) -> None:
    home, canaries_of_shop = canaries
    audit = AuditLog(home)
    audit.put("model theft", key="oidc:eve", name="eve", model="m", reason="canary", action="observe")
    audit.flush()
    table = home.root / "leaked.csv"
    answers = [canaries_of_shop.fingerprint("eve", "m", key) for key in KEYS]
    table.write_text("".join(f"{key},{value}\n" for key, value in zip(KEYS, answers, strict=True)), "utf-8-sig")
    output = CliRunner().invoke(app, ["theft", "source", str(table), "--model", "m"]).output
    assert output.startswith("eve"), output
    assert "12 of 12" in output


def test_nobody_else_gets_a_fingerprint(canaries: tuple[Home, Canaries]) -> None:
    _, canaries_of_shop = canaries
    for caller, keys, kind in (
        (None, {"user_id": KEYS[:1]}, "binary"),
        (_caller("ann"), {"track_id": KEYS[:1]}, "binary"),
        (_caller("ann"), {"user_id": ["u1"]}, "binary"),
        (_caller("ann"), {"user_id": KEYS[:1]}, "number"),
    ):
        assert canaries_of_shop.fill(caller, "m", keys, _answers(1, kind))[0].tolist() == [0.25]


def test_answers_get_the_form_of_the_model_and_of_the_key() -> None:
    values = np.array([0.123456, 0.987654])
    assert form_answers(values, "binary", AnswerSettings(), None) == values.tolist()
    assert form_answers(values, "binary", AnswerSettings(digits=3), _caller("ann", 1)) == [0.1, 1.0]
    assert form_answers(values, "number", AnswerSettings(labels_only=True), _caller("ann", 4)) == [0.1235, 0.9877]
    assert TheftSettings().answers_of("m") == AnswerSettings()
