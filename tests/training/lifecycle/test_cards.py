"""A model's machine-readable card, its technical documentation, its owner and its reviews."""

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from feature_repo.errors import BundleError, InputError
from feature_repo.home import Home
from training.__main__ import app
from training.bundle import BundleManifest, write_bundle
from training.cards import ANNEX_IV, CARD_MARKDOWN, annex_iv, markdown
from training.cards.facts import gather
from training.cards.write import write
from training.models.base import Gates
from training.registered_files import add_files
from training.reviews import REVIEWS, all_stewardships, review, stewardship_of
from training.validation.evidence import MODEL_KEY, Evidence
from training.validation.gates import decide
from training.version_files import decision_of, evidence_of, lineage_of

NAME = "made_up"
POINTS = {
    "1": "abcdefgh",
    "2": "abcdefgh",
    **{str(number): "" for number in range(3, 10)},
}
"""The points of Annex IV, as the regulation counts them."""


def _write(folder: Path) -> None:
    """Writes a bundle as registration does, without MLflow."""
    fields = {
        "name": NAME,
        "version": 1,
        "family": "behavior",
        "feature_service": "orders_v1",
        "fingerprint": "f00d",
        "inputs": [("orders__count_7d", "float32")],
        "outputs": [("chance", "float32")],
        "metrics": {NAME: {"log_loss": 0.5, "none": float("nan")}},
        "training_set": "ab" * 32,
        "cutoff": "2026-01-01T00:00:00+00:00",
        "extra": {},
    }
    manifest = write_bundle(folder, {"README.md": b"# About\n\nwho | what", "model.onnx": b"model"}, fields)
    rng = np.random.default_rng(0)
    outcome = rng.integers(0, 2, 200).astype(float)
    chance = np.clip(outcome * 0.6 + rng.uniform(0.1, 0.3, 200), 0.01, 0.99)
    values = {MODEL_KEY: rng.normal(0.5, 0.1, 200), "constant": rng.normal(1.0, 0.1, 200)}
    plans = {"plan": np.array(["free", "a|b"] * 100)}
    evidence = Evidence.of("log_loss", range(200), values, segments=plans, outcome=outcome, chance=chance)
    add_files(folder, manifest, evidence, decide(evidence, Gates()), ())


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A data folder with one registered version; read only."""
    home = Home(tmp_path_factory.mktemp("cards") / "data")
    _write(home.bundles(NAME) / "1")
    return home


@pytest.fixture
def home(registered: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A folder of its own with the bundles of the registered version."""
    copy = Home(tmp_path / "data")
    shutil.copytree(registered.bundles(NAME), copy.bundles(NAME))
    monkeypatch.setenv("REFRAIN_HOME", str(copy.root))
    return copy


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments])
    return result.exit_code, result.output


def _bundle_text(home: Home, name: str) -> str:
    return (home.bundles(NAME) / "1" / name).read_text()


def test_the_hub_reads_the_card_beside_every_bundle(registered: Home) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="no huggingface_hub: make test installs it")
    path = registered.bundles(NAME) / "1" / CARD_MARKDOWN
    card = hub.ModelCard.load(path, ignore_metadata_errors=False)
    (result,) = card.data.eval_results
    evidence = evidence_of(registered, NAME, 1)
    assert evidence is not None
    figure = evidence.figure()
    assert (result.task_type, result.metric_type, result.metric_value) == (
        "tabular-classification",
        "log_loss",
        figure.mean,
    )
    assert result.metric_args["low"] == figure.low
    assert card.data.pipeline_tag == "tabular-classification"
    assert card.data.license is None  # nobody declared one
    assert hub.metadata_load(path)["model_name"] == f"{NAME} 1"
    assert "nan" not in path.read_text().lower()


def test_tables_of_the_card_are_whole_whatever_a_value_holds(registered: Home) -> None:
    lines = _bundle_text(registered, CARD_MARKDOWN).splitlines()
    widths = {}
    for before, line in pairwise(lines):
        if line.startswith("|"):
            width = len(re.findall(r"(?<!\\)\|", line))
            if before.startswith("|"):
                assert widths[before] == width, line
            widths[line] = width
    assert "a\\|b" in "\n".join(lines)


def test_a_version_without_evidence_has_a_card_that_says_so(registered: Home) -> None:
    manifest = BundleManifest(**json.loads(_bundle_text(registered, "manifest.json")))
    facts = gather(registered.bundles(NAME) / "1", manifest, None, None, {})
    metadata = yaml.safe_load(markdown.card(facts).split("---\n")[1])
    assert "model-index" not in metadata
    assert "No evidence of a test was kept." in markdown.card(facts)
    assert annex_iv.missing(annex_iv.document(facts)) == len(annex_iv.POINTS)


def test_the_technical_documentation_has_every_point_of_the_annex(registered: Home) -> None:
    text = _bundle_text(registered, ANNEX_IV)
    for part, letters in POINTS.items():
        assert re.search(rf"^## {part}\. ", text, re.M)
        for letter in letters:
            assert re.search(rf"^### {part}\({letter}\) ", text, re.M), (part, letter)
    assert len(annex_iv.POINTS) == sum(max(len(letters), 1) for letters in POINTS.values())


def test_what_only_the_provider_can_say_is_marked_and_never_made_up(registered: Home) -> None:
    sections = re.split(r"^##+ ", _bundle_text(registered, ANNEX_IV), flags=re.M)
    by_point = {section.partition(" ")[0].rstrip("."): section for section in sections}
    for point in ("1(e)", "1(h)", "2(e)", "2(h)", "5", "7", "8"):
        body = by_point[point].partition("\n")[2].strip()
        assert body.startswith(annex_iv.TO_WRITE), point
        assert "\n" not in body
    assert "ab" * 8 not in by_point["2(d)"]  # no training set was given, so none is listed
    assert hash_of(registered, "model.onnx") in by_point["1(d)"]
    evidence = evidence_of(registered, NAME, 1)
    assert evidence is not None
    assert f"{evidence.figure().mean:.4g}" in by_point["2(g)"]


def hash_of(home: Home, name: str) -> str:
    return str(json.loads(_bundle_text(home, "manifest.json"))["files"][name])


def test_documents_of_a_bundle_are_those_of_its_facts(registered: Home) -> None:
    """What registration wrote is written again, letter for letter, from the files of the bundle."""
    folder = registered.bundles(NAME) / "1"
    manifest = BundleManifest(**json.loads(_bundle_text(registered, "manifest.json")))
    found = evidence_of(registered, NAME, 1), decision_of(registered, NAME, 1)
    facts = gather(folder, manifest, *found, lineage_of(registered, NAME, 1))
    assert markdown.card(facts) == _bundle_text(registered, CARD_MARKDOWN)
    assert annex_iv.document(facts) == _bundle_text(registered, ANNEX_IV)


def test_training_sets_and_promotions_are_named(home: Home) -> None:
    lineage = {
        "rows": {"orders": 1_200},
        "parameters": {"trees": 20},
        "training_sets": [
            {
                "feature_service": "orders_v1",
                "rows": 900,
                "digest": "ab" * 32,
                "sources": {"customer_orders": "cd" * 32},
            }
        ],
    }
    folder = home.bundles(NAME) / "1"
    (folder / "lineage.json").write_text(json.dumps(lineage))
    promotion = {"version": 1, "before": None, "reason": "urgent", "anyway": ["baseline: worse"], "at": "2026-01-02T"}
    (folder.parent / "promotions.jsonl").write_text(json.dumps(promotion) + "\n")
    text = write(home, NAME, 1, "annex-iv")
    assert all(part in text for part in ("cd" * 32, "| orders | 1,200 |", "| trees | 20 |", "| 1 | urgent |"))
    assert "**Promoted anyway** at 2026-01-02 (urgent), against its gates: baseline: worse." in write(
        home, NAME, 1, "md"
    )


def test_a_review_is_recorded_and_shown(home: Home) -> None:
    code, output = _run("review", f"{NAME}:1", "--by", "Ann Lee", "--note", "figures by plan\nchecked", "--json")
    assert code == 0, output
    assert json.loads(output)["by"] == "Ann Lee"
    code, output = _run("review", f"{NAME}:1", "--by", "Bo", "--owner", "music team")
    assert code == 0 and "owner: music team" in output
    stewardship = stewardship_of(home, NAME, 1)
    assert (stewardship.owner, stewardship.reviewer) == ("music team", "Bo")
    assert stewardship.card == home.bundles(NAME) / "1" / CARD_MARKDOWN
    assert all_stewardships(home) == [stewardship]
    for form in ("md", "annex-iv", "json"):
        code, output = _run("card", f"{NAME}:1", "--format", form)
        assert code == 0 and "Ann Lee" in output and "music team" in output, form
    assert len(json.loads(_run("card", f"{NAME}:1", "--format", "json")[1])["reviews"]) == 2
    page = _run("card", f"{NAME}:1", "--format", "html")[1]
    assert page.startswith("<!doctype html>") and "Ann Lee" in page


def test_a_review_is_of_its_version_and_an_owner_of_the_model(home: Home) -> None:
    shutil.copytree(home.bundles(NAME) / "1", home.bundles(NAME) / "2")
    review(home, f"{NAME}:1", by="Ann", owner="music team")
    assert stewardship_of(home, NAME, 1).reviewer == "Ann"
    newer = stewardship_of(home, NAME, 2)
    assert (newer.reviewer, newer.reviewed_at, newer.owner) == ("", "", "music team")
    assert all_stewardships(home) == [newer]  # no champion: the newest


def test_a_card_is_written_to_a_file(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "new" / "README.md"
    code, output = _run("card", f"{NAME}:1", "--out", str(out))
    assert code == 0 and output.replace("\n", "") == str(out)
    assert out.read_text().startswith("---\n")


def test_the_project_names_the_owner(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "refrain.toml").write_text(f'name = "shop"\n[owners]\n"*" = "data team"\n{NAME} = "Cy"\n')
    review(home, f"{NAME}:1", by="Ann", owner="somebody else")
    inside = Home(home.root, project_folder=project)
    assert stewardship_of(inside, NAME, 1).owner == "Cy"
    (project / "refrain.toml").write_text('name = "shop"\nowners = "Cy"\n')
    with pytest.raises(InputError, match="owners as a section"):
        stewardship_of(inside, NAME, 1)


def test_what_the_provider_writes_stands_at_its_point(home: Home, tmp_path: Path) -> None:
    (tmp_path / "refrain.toml").write_text('name = "shop"\nextends = ["music"]\n')
    path = tmp_path / "annex_iv" / f"{NAME}.toml"
    path.parent.mkdir()
    path.write_text('"1(e)" = "One server."\n"2(d)" = "From our shop."\n')
    inside = Home(home.root, project_folder=tmp_path)
    text = write(inside, NAME, 1, "annex-iv")
    assert annex_iv.missing(text) == len(annex_iv.POINTS) - 2
    assert "### 1(e) Hardware on which it is intended to run\n\n**By the provider:** One server.\n" in text
    for wrong in ('"1(z)" = "x"', '"1(e)" = 3', '"1(e)" = ""', "["):
        path.write_text(wrong)
        with pytest.raises(InputError, match="annex_iv"):
            write(inside, NAME, 1, "annex-iv")


def test_a_line_that_a_killed_process_left_is_no_review(home: Home) -> None:
    review(home, f"{NAME}:1", by="Ann")
    with (home.bundles(NAME) / REVIEWS).open("a") as file:
        file.write('{"version": 1, "by": "B')
    assert stewardship_of(home, NAME, 1).reviewer == "Ann"
    review(home, f"{NAME}:1", by="Cy")
    assert stewardship_of(home, NAME, 1).reviewer == "Cy"


@pytest.mark.parametrize("name", ["nobody", f"{NAME}:2", f"{NAME}:0", "../made_up:1", f"{NAME}:x", "", NAME])
def test_a_version_that_is_not_there_is_refused(home: Home, name: str) -> None:
    with pytest.raises(BundleError) as error:
        review(home, name, by="Ann")
    assert error.value.next_command.startswith("refrain model")
    assert _run("card", name)[0] == 1


@pytest.mark.parametrize(
    ("by", "note", "owner"),
    [
        ("", "", ""),
        ("  ", "", ""),
        ("a\nb", "", ""),
        ("Ann", "x" * 3_000, ""),
        ("Ann", "", "\x1b[31m"),
        ("Ann", "\x1b[31m", ""),
    ],
)
def test_a_review_by_nobody_is_refused(home: Home, by: str, note: str, owner: str) -> None:
    with pytest.raises(InputError):
        review(home, f"{NAME}:1", by=by, note=note, owner=owner)
    assert not (home.bundles(NAME) / REVIEWS).exists()


def test_a_damaged_bundle_is_an_error_with_the_next_command(home: Home) -> None:
    (home.bundles(NAME) / "1" / "manifest.json").write_text("{")
    for form in ("md", "json"):
        assert _run("card", f"{NAME}:1", "--format", form)[0] == 1
