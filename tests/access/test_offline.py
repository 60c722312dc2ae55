"""Training sets show a role what lookups show it, and every pull is in the audit log."""

from datetime import timedelta

import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo import clock
from feature_repo.access.viewer import VARIABLE, Viewer
from feature_repo.errors import AccessError, StoreError
from feature_repo.home import Home
from feature_repo.manifest import load_service
from feature_repo.store import open_store
from inference.features import OnlineFeatures
from inference.security.audit import acts
from refrain.cli import app as command
from training.datasets import all_keys, training_set
from training.datasets.access import check_model
from training.train import train

USERS = [f"u{number:06}" for number in range(30)]
SERVICE = "listener_v1"


def _spine(users: list[str]) -> dict[str, list[object]]:
    return {"user_id": [*users], "event_timestamp": [clock.now() - timedelta(seconds=1)] * len(users)}


def test_online_and_offline_show_a_role_the_same(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    features = OnlineFeatures(SERVICE, home)
    country = features.get({"user_id": [USERS[7]]}).values["user_profile__country"][0]
    hidden = {}
    for role in ("owner", "analyst", "regional"):
        monkeypatch.setenv(VARIABLE, role)
        online = features.get({"user_id": USERS}, viewer=Viewer("someone", frozenset({role})))
        pulled = training_set(SERVICE, _spine(USERS), home=home)
        offline = {row["user_id"]: row for row in pulled.to_polars().to_dicts()}
        hidden[role] = online.hidden
        assert pulled.manifest.get("access", {}).get("hidden", {}) == online.hidden
        withheld = [] if online.withheld is None else online.withheld.tolist()
        shown = [user for user, gone in zip(USERS, withheld or [False] * len(USERS), strict=True) if not gone]
        assert list(offline) == shown
        assert set(online.values) == set(pulled.to_polars().columns) - {"user_id", "event_timestamp"}
        for name in ("user_profile__country", "user_profile__gender", "user_profile__birth_year", "user_taste__fit"):
            values = dict(zip(USERS, online.values[name], strict=True))
            assert {user: offline[user][name] for user in shown} == {user: values[user] for user in shown}, name
    assert hidden["owner"] == {}
    assert hidden["analyst"]["user_profile__gender"] == "null"
    assert pl.Series([country]).item() not in str(hidden)
    regional = training_set(SERVICE, _spine(USERS), home=home).to_polars()
    assert set(regional["user_profile__country"]) == {"SE"}
    assert 0 < regional.height < len(USERS)


def test_a_set_is_saved_as_it_is_seen(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "analyst")
    folder = training_set(SERVICE, _spine(USERS[:3]), home=home).save()
    saved = pl.read_parquet(folder / "data.parquet")
    assert "user_history__track_ids" not in saved.columns
    assert saved["user_profile__gender"].null_count() == 3
    assert saved["user_profile__country"].str.starts_with("p_").all()
    assert not any(text in path.read_text() for path in folder.glob("*.json") for text in ('"f"', "user_profile__x"))


def test_without_a_role_nothing_is_pulled(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.project_folder is not None
    file = home.project_folder / "refrain.toml"
    monkeypatch.setenv(VARIABLE, "stranger")
    with pytest.raises(AccessError, match="REFRAIN_ROLE='stranger'"):
        training_set(SERVICE, _spine(USERS[:1]), home=home)
    monkeypatch.setenv(VARIABLE, "support")
    with pytest.raises(AccessError, match="a role that has the feature service listener_v1"):
        training_set(SERVICE, _spine(USERS[:1]), home=home)
    before = file.read_text()
    file.write_text(before.replace('"SE"', '"DE"'))
    with pytest.raises(StoreError, match="refrain apply"):  # the rules have changed, and are not compiled
        training_set(SERVICE, _spine(USERS[:1]), home=home)
    file.write_text(before)


def test_models_are_trained_on_what_is_seen_as_it_is(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "analyst")
    with pytest.raises(AccessError, match="to train a_model on them; found analyst"):
        check_model(home, "a_model", {SERVICE: load_service(home, SERVICE)})
    with pytest.raises(AccessError, match="a role that has the feature service user_behavior_v1"):
        train(home, "churn_model")
    monkeypatch.setenv(VARIABLE, "regional")
    with pytest.raises(AccessError, match="sees all rows"):
        all_keys(SERVICE, None, clock.now(), home=home)


def test_accounts_are_reviewed_by_who_sees_everything(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    for role, exit_code in (("analyst", 1), ("owner", 0)):
        monkeypatch.setenv(VARIABLE, role)
        result = CliRunner().invoke(command, ["model", "manipulation", "--json"])
        assert (result.exit_code != 0) == bool(exit_code), result.output
        assert ("listeners" in result.stdout) != bool(exit_code)


def test_feasts_own_api_gives_real_values_or_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    store, spine = open_store(home), pl.DataFrame(_spine(USERS[:2])).to_arrow()
    references = ["user_profile:country", "user_profile:plan"]
    monkeypatch.setenv(VARIABLE, "owner")
    assert store.get_historical_features(spine, references).to_arrow().num_rows == 2
    for role, found in (("analyst", "user_profile__country"), ("regional", "conditions on rows")):
        monkeypatch.setenv(VARIABLE, role)
        with pytest.raises(AccessError, match=found):
            store.get_historical_features(spine, references)


def test_pulls_are_in_the_audit_log(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "analyst")
    many = [f"n{number:05}" for number in range(1_001)]
    count = sum(act["act"] == "training set" for act in acts(home))
    for users in (USERS[:2], many):
        training_set(SERVICE, _spine(users), home=home).to_polars()
    training_set("track_display_v1", {"track_id": ["t"], "event_timestamp": [clock.now()]}, home=home).to_polars()
    *_, few_act, many_act = (act for act in acts(home) if act["act"] == "training set")
    assert sum(act["act"] == "training set" for act in acts(home)) == count + 2  # none of tracks
    assert few_act["key"].startswith("os:")
    assert (few_act["service"], few_act["role"], few_act["rows"], few_act["people"]) == (SERVICE, "analyst", 2, 2)
    assert few_act["keys"] == {"user_id": USERS[:2]}
    assert "user_history__track_ids" not in few_act["features"]
    assert (many_act["people"], "keys" in many_act) == (1_001, False)
    spine_digest = training_set(SERVICE, _spine(many), home=home).manifest["spine_digest"]
    assert many_act["spine_digest"] == spine_digest


def test_an_unwritable_audit_log_refuses_a_pull_where_it_is_required(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("feature_repo.audit_lines.append_line", full)
    assert training_set(SERVICE, _spine(USERS[:1]), home=home).to_polars().height == 1
    assert "not in the audit log" in caplog.text
    monkeypatch.setenv("REFRAIN_AUDIT", "required")
    with pytest.raises(StoreError, match="REFRAIN_AUDIT=required"):
        training_set(SERVICE, _spine(USERS[:1]), home=home).to_polars()
