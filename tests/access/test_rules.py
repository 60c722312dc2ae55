"""The section ``[access]``: what it decides, and what is refused when it is read and compiled."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_repo.access.compile import compile_access
from feature_repo.access.compiled import load_access
from feature_repo.access.settings import Role, read_settings
from feature_repo.access.sight import treatment_of
from feature_repo.access.viewer import VARIABLE, Viewer
from feature_repo.access.whole import check_whole
from feature_repo.contract import contract_of
from feature_repo.errors import AccessError, InputError, StoreError
from feature_repo.home import REPOSITORY, Home
from feature_repo.manifest import load_service
from feature_repo.plausibility import AccountLimits
from feature_repo.project import Project
from inference.features import OnlineFeatures
from inference.features.seen_rows import SeenRows
from tests.access.restricted_music import restricted_project
from tests.projects import write_project

USERS = ["u000007", "u000008", "nobody"]


@pytest.mark.parametrize(
    ("role", "marks", "treatment"),
    [
        ({}, [], "seen"),
        ({}, ["personal"], "refused"),
        ({"seen": ["personal"]}, ["personal"], "seen"),
        ({"seen": ["personal"]}, ["personal", "sensitive"], "refused"),
        ({"seen": ["*"]}, ["personal", "mystery"], "seen"),
        ({"seen": ["*"], "masked": {"sensitive": "null"}}, ["personal", "sensitive"], "null"),
        ({"seen": ["*"], "refused": ["sensitive"]}, ["personal", "sensitive"], "refused"),
        ({"masked": {"a": "letters:1", "b": "pseudonym"}}, ["a", "b"], "null"),
        ({"masked": {"a": "letters:1", "b": "letters:1"}}, ["a", "b"], "letters:1"),
        ({"seen": ["v:f"], "refused": ["personal"]}, ["personal"], "seen"),
        ({"seen": ["v"], "masked": {"v:f": "null"}}, ["personal"], "null"),
        ({"seen": ["v"]}, ["sensitive"], "seen"),
        ({"seen": ["v"], "refused": ["v"]}, [], "refused"),
        ({"masked": {"v:f": "letters:1"}}, [], "letters:1"),
    ],
)
def test_the_nearest_line_decides_and_of_marks_the_strictest(
    role: dict[str, Any], marks: list[str], treatment: str
) -> None:
    settings = read_settings({"roles": {"r": {"services": ["*"], **role}}})
    decided = treatment_of(settings.roles["r"], "v__f", marks)
    assert getattr(decided, "text", decided) == treatment


@pytest.mark.parametrize("marks", [["personal"], ["sensitive"], ["mystery"], ["a", "b"]])
def test_a_stranger_sees_nothing_that_is_marked(marks: list[str]) -> None:
    assert treatment_of(None, "v__f", marks) == "refused"
    assert treatment_of(Role("empty", ("*",)), "v__f", marks) == "refused"


@pytest.mark.parametrize(
    "section",
    [
        "all",
        {"rols": {}},
        {"roles": {"Analyst": {"services": []}}},
        {"roles": {"a": {}}},
        {"roles": {"a": {"services": "*"}}},
        {"roles": {"a": {"services": ["*"], "masked": {"personal": "hash"}}}},
        {"roles": {"a": {"services": ["*"], "rows": {"user_profile:country": "own"}}}},
        {"roles": {"a": {"services": ["*"], "rows": {"user_id": "u1"}}}},
        {"roles": {"a": {"services": ["*"], "break_glass": -1}}},
        {"roles": {"a": {"services": ["*"], "break_glass": True}}},
        {"roles": {"a": {"services": ["*"], "may_break_glass": ["b"]}}},
        {"default": "a"},
        {"users": {"ann": "a"}},
        {"marks": {"v:f": "internal"}},
    ],
)
def test_a_section_with_a_mistake_is_refused_with_the_file(section: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_settings(section)
    write_project(tmp_path, {"refrain.toml": 'name = "shop"\naccess = 7\n'})
    with pytest.raises(InputError, match=r"refrain\.toml"):
        Project.load(tmp_path)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('seen = ["user_profil"]', "user_profil"),
        ('masked = { "user_profile:country" = "round:10" }', "round:10"),
        ('rows = { "user_profile:state" = ["SE"] }', "user_profile:state"),
    ],
)
def test_what_is_not_there_is_refused_when_it_is_applied(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, found: str
) -> None:
    before = home.manifest.read_bytes()
    with pytest.raises(InputError, match=found):
        restricted_project(tmp_path, home, monkeypatch, f'[access.roles.a]\nservices = ["*"]\n{line}\n')
    assert home.manifest.read_bytes() == before


def test_rules_that_were_not_compiled_show_nothing(home: Home) -> None:
    text = home.manifest.read_text()
    document = json.loads(text)
    for section in (None, {**document["access"], "digest": "of before"}):
        home.manifest.write_text(json.dumps(document | {"access": section}))
        with pytest.raises(StoreError, match="refrain apply"):
            OnlineFeatures("listener_v1", home)
    home.manifest.write_text(text)
    with pytest.raises(StoreError, match="refrain apply"):
        load_access(Home(home.root))  # of a project whose section was removed
    key = home.pseudonyms.read_bytes()
    home.pseudonyms.unlink()
    with pytest.raises(StoreError, match="the key of pseudonyms"):
        OnlineFeatures("listener_v1", home)
    home.pseudonyms.write_bytes(key)


def test_matrix_columns_and_values_of_a_lookup_agree(home: Home) -> None:
    features = OnlineFeatures("listener_v1", home)
    everything = features.get({"user_id": USERS})
    rows = features.get({"user_id": USERS}, viewer=Viewer("a", frozenset({"analyst"})))
    numeric = [name for name in rows.columns if name in ("user_profile__birth_year", "user_taste__fit")]
    assert np.isnan(rows.matrix(["user_profile__birth_year"])).all()
    assert rows.missing["user_profile__birth_year"].all()
    assert set(numeric) == {"user_profile__birth_year", "user_taste__fit"}
    np.testing.assert_array_equal(rows.matrix(["user_taste__fit"]), everything.matrix(["user_taste__fit"]))
    assert rows.columns["user_profile__country"].tolist() == rows.values["user_profile__country"]
    assert rows.matrix().shape[1] == everything.matrix().shape[1] - 1  # without user_history__distinct_tracks
    with pytest.raises(AccessError):
        rows.matrix(["user_history__distinct_tracks"])
    with pytest.raises(KeyError):
        rows.values["user_history__track_ids"]
    assert set(everything.event_times) - set(rows.event_times) == {"user_history"}
    for name in set(rows.values) - set(rows.hidden):
        assert repr(rows.values[name]) == repr(everything.values[name])
    assert len(rows.to_pandas()) == 3


def test_rows_that_are_not_seen_are_as_unknown_ones_in_the_same_round_trip(home: Home) -> None:
    features, viewer = OnlineFeatures("session_v1", home), Viewer("a", frozenset({"regional"}))
    candidates = [f"u{number:06}" for number in range(30)]
    countries = OnlineFeatures("listener_v1", home).get({"user_id": candidates}).values["user_profile__country"]
    elsewhere = next(user for user, country in zip(candidates, countries, strict=True) if country not in ("SE", None))
    users = [USERS[0], elsewhere, "nobody"]
    prepared = features.prepare({"user_id": users}, viewer=viewer)
    plain = features.prepare({"user_id": users})
    assert len(prepared.redis_keys) == len(plain.redis_keys) + len(users)  # their country
    rows = features.get({"user_id": users}, viewer=viewer)
    assert rows.withheld is not None and rows.withheld.tolist() == [False, True, True]
    unknown = features.get({"user_id": ["nobody"]}).values
    for name, values in rows.values.items():
        if not name.startswith("user_session_now"):
            assert repr(values[1]) == repr(values[2]) == repr(unknown[name][0])
    assert np.isnan(rows.event_times["user_session"][1:]).all()


def test_every_feature_of_a_person_is_marked(home: Home) -> None:
    compiled = load_access(home)
    assert compiled is not None
    for name in json.loads(home.manifest.read_text())["services"]:
        service = load_service(home, name)
        for view in service.views:
            if "user_id" in view.join_keys:
                assert all("personal" in compiled.marks_of(f"{view.name}__{column}") for column, _ in view.features)


def test_the_sections_of_the_page_are_valid(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (REPOSITORY / "docs" / "access.md").read_text()
    access, plausibility = re.findall(r"^```toml\n(.*?)^```", page, re.M | re.S)
    before = home.manifest.read_bytes()
    compiled = load_access(restricted_project(tmp_path, home, monkeypatch, f"{access}\n{plausibility}"))
    home.manifest.write_bytes(before)
    assert compiled is not None
    assert list(compiled.settings.roles) == ["trainer", "analyst", "nordic", "listener", "desk"]
    assert Project.load(tmp_path).plausibility["plays"] == AccountLimits()


def test_a_registry_with_some_of_the_views_is_compiled(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    contract, before = contract_of(home), load_access(home)
    assert before is not None
    with pytest.raises(InputError):
        compile_access(home, contract, {})
    partial = compile_access(home, contract, {}, is_partial=True)
    assert partial is not None
    assert partial["views"] == {}
    assert set(partial["marks"]) >= {name for name, marks in before.marks.items() if "sensitive" in marks}
    monkeypatch.setenv(VARIABLE, "regional")
    with pytest.raises(AccessError, match="sees everything"):
        check_whole(home, "a check")
    monkeypatch.setenv(VARIABLE, "owner")
    assert check_whole(home, "a check") == {"role": "owner"}


def test_it_is_not_said_of_rows_that_are_not_seen_whether_there_is_consent(home: Home) -> None:
    features, viewer = OnlineFeatures("session_v1", home), Viewer("a", frozenset({"listener"}), own_id=USERS[0])
    sight = features.sight(viewer)
    assert sight is not None
    for denied, left in (([True, True, False], [True, False, False]), ([False, True, True], None)):
        rows = features.get({"user_id": USERS})
        rows.denied = np.array(denied)
        seen = SeenRows(rows, sight, np.array([False, True, True]))
        assert (None if seen.denied is None else seen.denied.tolist()) == left
