"""Limits of a project: what is declared, what is refused, and what keeps a version from serving."""

from pathlib import Path

import numpy as np
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.fairness.by_group import figures_of_evidence
from training.fairness.figure import FAIRNESS, read, to_bytes
from training.fairness.gate import check_limits, with_limits
from training.fairness.people import groups_of
from training.fairness.settings import FairnessSettings, check_names, settings_of
from training.models.base import Gates
from training.validation.evidence import MODEL_KEY, Evidence
from training.validation.gates import decide

PROJECT = 'name = "radio"\nextends = ["music"]\n'


def project(folder: Path, text: str) -> Home:
    folder.mkdir(exist_ok=True)
    (folder / "refrain.toml").write_text(PROJECT + text)
    return Home(folder / "data", project_folder=folder)


def evidence(unequal: float, people: int = 400) -> Evidence:
    """Return evidence whose second group is selected more often by so much."""
    rng = np.random.default_rng(0)
    outcome = (rng.random(people) < 0.5).astype(float)
    second = np.arange(people) % 2 == 1
    chance = np.clip(0.6 * rng.random(people) + 0.2 * outcome + unequal * second, 0, 1)
    values = {MODEL_KEY: rng.random(people), "constant": 1 + rng.random(people)}
    return Evidence.of(
        "log_loss",
        range(people),
        values,
        outcome=outcome,
        chance=chance,
        segments={"gender": np.where(second, "m", "f")},
    )


@pytest.mark.parametrize(
    ("unequal", "people", "verdict"), [(0.0, 2_000, "pass"), (0.6, 400, "fail"), (0.05, 60, "undecided")]
)
def test_a_limit_binds_with_its_interval(unequal: float, people: int, verdict: str) -> None:
    tested, settings = evidence(unequal, people), FairnessSettings(limits={"demographic_parity_difference": 0.15})
    checks = check_limits(figures_of_evidence(tested), settings)
    decision = decide(tested, Gates(calibration=None), fairness=checks)
    assert [check.name for check in checks] == ["fairness: demographic_parity_difference by gender"]
    assert decision.answer == verdict, decision.reasons
    assert decision.may_serve == (verdict == "pass")
    assert "limit at most 0.15" in checks[0].summary
    lenient = with_limits(decision, figures_of_evidence(tested), FairnessSettings())
    assert lenient.may_serve, lenient.reasons


def test_a_ratio_is_bounded_from_below() -> None:
    figures = figures_of_evidence(evidence(0.6))
    (strict,) = check_limits(figures, FairnessSettings(limits={"demographic_parity_ratio": 0.9}))
    assert (strict.verdict, "at least 0.9" in strict.summary) == ("FAILED", True)
    (loose,) = check_limits(figures, FairnessSettings(limits={"demographic_parity_ratio": 0.1}))
    assert loose.passed


def test_a_limit_without_its_figure_is_undecided() -> None:
    (check,) = check_limits([], FairnessSettings(limits={"exposure_ratio": 0.8}))
    assert check.verdict == "UNDECIDED"
    assert "too small to tell" in check.summary


def test_limits_bind_on_declared_intersections_alone() -> None:
    tested = evidence(0.6)
    tested.segments["plan"] = np.where(np.arange(400) % 4 < 2, "free", "paid")  # type: ignore[index]
    limits = {"demographic_parity_difference": 0.1}
    names = [check.name for check in check_limits(figures_of_evidence(tested), FairnessSettings(limits=limits))]
    assert [name.rpartition(" by ")[2] for name in names] == ["gender", "plan"]
    crossed = FairnessSettings(limits=limits, crossed=(("gender", "plan"),))
    figures = figures_of_evidence(tested, pairs=crossed.crossed)
    names = [check.name for check in check_limits(figures, crossed)]
    assert [name.rpartition(" by ")[2] for name in names] == ["gender", "plan", "gender × plan"]


@pytest.mark.parametrize("names", [("plan", "gender"), ("gender", "plan")])
def test_intersections_bind_in_any_order(names: tuple[str, str]) -> None:
    tested = evidence(0.6)
    tested.segments["plan"] = np.where(np.arange(400) % 4 < 2, "free", "paid")  # type: ignore[index]
    figures = figures_of_evidence(tested, pairs=[("gender", "plan")])
    settings = FairnessSettings(limits={"demographic_parity_difference": 0.1}, crossed=(names,))
    (crossed,) = [check for check in check_limits(figures, settings) if "×" in check.name]
    assert crossed.verdict == "FAILED"


def test_an_intersection_without_a_figure_is_undecided() -> None:
    tested = evidence(0.0, 2_000)
    limits = {"demographic_parity_difference": 0.15, "gini": 1.0}
    settings = FairnessSettings(limits=limits, crossed=(("gender", "shoe size"),))
    checks = {check.name: check for check in check_limits(figures_of_evidence(tested), settings)}
    assert checks["fairness: demographic_parity_difference by gender"].passed
    missing = checks["fairness: demographic_parity_difference by gender × shoe size"]
    assert (missing.verdict, "no figure by gender and shoe size" in missing.summary) == ("UNDECIDED", True)
    assert not [name for name in checks if name.startswith("fairness: gini by")]


def test_a_section_of_no_model_is_refused(tmp_path: Path) -> None:
    home = project(tmp_path / "radio", "[fairness.churn_modle]\nthreshold = 0.3\n")
    with pytest.raises(InputError, match=r"one of churn_model, skip_model,.*no model 'churn_modle'"):
        check_names(home, ["skip_model", "churn_model"])
    check_names(home, ["churn_modle"])


def test_a_project_declares_groups_and_limits(tmp_path: Path) -> None:
    home = project(
        tmp_path / "radio",
        '[fairness.churn_model]\ngroups = ["users.plan"]\ncrossed = [["plan", "gender"]]\nthreshold = 0.3\n'
        "equalized_odds_difference = 0.2\n",
    )
    assert settings_of(home, "churn_model") == FairnessSettings(
        ("users.plan",), (("plan", "gender"),), 0.3, None, {"equalized_odds_difference": 0.2}
    )
    assert settings_of(home, "skip_model") == FairnessSettings()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("demographic_parity = 0.1", "demographic_parity_difference"),
        ('demographic_parity_difference = "low"', "a number of 0 or more"),
        ("demographic_parity_ratio = 80", "from 0 to 1"),
        ("equalized_odds_difference = nan", "a number of 0 or more"),
        ("threshold = true", "a number from 0 to 1"),
        ('groups = ["users.shoe_size"]', "users has"),
        ('groups = ["clients.plan"]', "the raw tables are"),
        ("groups = []", "a list of texts"),
        ('crossed = ["plan", "gender"]', "a list of texts"),
        ('providers = "nowhere.csv"', "a file in the project's folder"),
    ],
)
def test_what_is_malformed_is_refused_with_the_file(tmp_path: Path, line: str, words: str) -> None:
    home = project(tmp_path / "radio", f"[fairness.churn_model]\n{line}\n")
    with pytest.raises(InputError) as refused:
        settings_of(home, "churn_model")
    assert words in str(refused.value)
    assert "refrain.toml" in str(refused.value)


def test_sections_must_be_sections(tmp_path: Path) -> None:
    home = project(tmp_path / "radio", "fairness = 3\n")
    with pytest.raises(InputError, match="fairness as sections"):
        settings_of(home, "churn_model")


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    figures = figures_of_evidence(evidence(0.1))
    (tmp_path / FAIRNESS).write_bytes(to_bytes(figures))
    assert read(tmp_path) == tuple(figures)
    (tmp_path / FAIRNESS).write_text("{")
    assert read(tmp_path) is None


def test_groups_are_those_of_the_time(world: Home) -> None:
    """The profile that held at the time; nothing before the sign-up; plain loops over the raw table."""
    from transforms.raw.read import scan

    states = scan(world, "users").sort("event_timestamp").collect()
    ids = states["user_id"].unique().sort().to_list()[:30]
    moments = states["event_timestamp"].dt.epoch("us")
    middle, early = int(moments.median()), int(moments.min()) - 1  # type: ignore[arg-type]
    groups = groups_of(world, ("users.plan", "users.birth_year", "tracks.title"), "user_id", ids, np.full(30, middle))
    assert sorted(groups) == ["age", "plan"]
    for number, user in enumerate(ids):
        known = [row for row in states.iter_rows(named=True) if row["user_id"] == user]
        before = [row for row in known if row["event_timestamp"].timestamp() * 1e6 <= middle]
        assert groups["plan"][number] == (before[-1]["plan"] or "" if before else "")
    nobody = groups_of(world, ("users.plan",), "user_id", ids, np.full(30, early))
    assert set(nobody["plan"].tolist()) == {""}
