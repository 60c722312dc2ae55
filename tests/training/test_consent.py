"""Who is trained on: those who consented to the purpose as of the row's moment, and still do."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from feature_repo import clock
from feature_repo.home import Home
from feature_repo.project import PROJECT
from feature_repo.restricted import Restricted
from tests.projects import music_with_purposes
from tests.worlds import apply_once, copy_tree
from training.datasets import Interactions, repeat, training_set
from training.datasets.consent import Permission, people_left_out, raw_rows
from training.models import find
from training.pipeline.digests import Digests
from training.pipeline.models import run_key
from transforms.batch.build import build
from transforms.raw.ingest import Batch, ingest
from transforms.raw.read import scan

ZERO = datetime(2026, 5, 1, tzinfo=UTC)
NOW = ZERO + timedelta(days=30)
PURPOSES = {"personalisation": "opt-in", "analytics": "opt-out", "training": "opt-out"}
WHO = ["ann", "bob", "cem", "dee"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that asks for consent."""
    return music_with_purposes(tmp_path_factory.mktemp("consenting") / "project", PURPOSES)


@pytest.fixture
def consenting(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty data folder of it."""
    return point_at(Home(tmp_path / "home", project_folder=project), monkeypatch)


def point_at(home: Home, patch: pytest.MonkeyPatch) -> Home:
    patch.setenv(PROJECT, str(home.project_folder))
    patch.setenv(clock.NOW, NOW.isoformat())
    patch.setenv("REFRAIN_HOME", str(home.root))
    return home


def event(user: str, purpose: str, granted: bool, hours: int, late: int = 0) -> dict[str, object]:
    moment = ZERO + timedelta(hours=hours)
    return {
        "user_id": user,
        "purpose": purpose,
        "granted": granted,
        "event_timestamp": moment,
        "created_timestamp": moment + timedelta(hours=late),
    }


def store(home: Home, *events: dict[str, object]) -> None:
    ingest(home, "test", [Batch("consents", pl.DataFrame(list(events)))])


def naive(events: list[dict[str, object]], user: str, purpose: str, moment: datetime) -> bool:
    """Consent before a moment, event by event: the newest counts; of equal times, the withdrawal."""
    newest, answer = None, PURPOSES[purpose] == "opt-out"
    for one in events:
        if one["user_id"] != user or one["purpose"] != purpose or one["event_timestamp"] >= moment:
            continue
        if newest is None or one["event_timestamp"] > newest:
            newest, answer = one["event_timestamp"], bool(one["granted"])
        elif one["event_timestamp"] == newest:
            answer = answer and bool(one["granted"])
    return answer


EVENTS = st.builds(
    event,
    st.sampled_from(WHO),
    st.sampled_from(sorted(PURPOSES)),
    st.booleans(),
    st.integers(0, 6),
    st.sampled_from([0, 0, 5, 300]),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(EVENTS, max_size=12), min_size=1, max_size=3), st.sampled_from(["personalisation", "analytics"])
)
@example([[event("ann", "analytics", False, 1)], [event("ann", "analytics", True, 1, late=5)]], "analytics")
def test_rows_are_kept_as_a_naive_oracle_says(
    tmp_path_factory: pytest.TempPathFactory, consenting: Home, parts: list[list[dict[str, object]]], purpose: str
) -> None:
    home = Home(tmp_path_factory.mktemp("home"), project_folder=consenting.project_folder)
    for part in parts:  # whatever arrives in whatever order, some of it twice
        if part:
            store(home, *part)
            store(home, part[0])
    events = [one for part in parts for one in part]
    rows = pl.DataFrame(
        [{"user_id": user, "event_timestamp": ZERO + timedelta(hours=hours)} for hours in range(8) for user in WHO]
    )
    expected = [
        all(naive(events, user, name, at) for name in (purpose, "training") for at in (moment, NOW))
        for user, moment in rows.iter_rows()
    ]
    permission = Permission.of(home, purpose)
    assert permission.kept(rows).to_list() == expected
    assert sum(permission.left_out.values()) == expected.count(False)


def test_a_project_that_asks_for_no_consent_reads_none(home: Home) -> None:
    permission = Permission.of(home, "personalisation")
    assert not permission.concerns(["user_id"])
    rows = pl.DataFrame({"user_id": ["ann"], "event_timestamp": [ZERO]})
    assert permission.rows(rows) is rows


@pytest.fixture(scope="module")
def built_once(project: Path) -> Home:
    """Three listeners: ann consented on the second day, bob withdrew on the third, cem never said anything."""
    with pytest.MonkeyPatch.context() as patch:
        home = point_at(Home(project.parent / "home", project_folder=project), patch)
        plays = [
            {
                "user_id": user,
                "track_id": "song",
                "artist_id": "band",
                "ms_played": 1000 * hours,
                "event_timestamp": ZERO + timedelta(hours=hours),
            }
            for user in WHO[:3]
            for hours in range(1, 96, 12)
        ]
        ingest(home, "test", [Batch("plays", pl.DataFrame(plays))])
        store(
            home,
            event("bob", "personalisation", True, 0),
            event("ann", "personalisation", True, 30),
            event("bob", "personalisation", False, 70),
            event("ann", "analytics", True, 1),
            event("bob", "analytics", False, 50),
        )
        build(home)
        apply_once(home)
    return home


@pytest.fixture
def built(built_once: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A copy of it that a test may change."""
    home = Home(tmp_path / "home", project_folder=built_once.project_folder)
    copy_tree(built_once.root, home.root, ())
    return point_at(home, monkeypatch)


def spine(**more: object) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"user_id": user, "event_timestamp": ZERO + timedelta(days=day), "label": day, **more}
            for day in (1, 2, 4)
            for user in WHO[:3]
        ]
    )


def test_a_training_set_is_of_those_who_consent(built: Home, tmp_path: Path) -> None:
    pulled = training_set("session_v1", spine(), home=built)
    assert pulled.data.select("user_id", "label").rows() == [("ann", 2), ("ann", 4)]
    assert pulled.manifest["purposes"] == ["personalisation", "training"]
    assert (pulled.manifest["rows"], pulled.manifest["left_out"]) == (2, {"personalisation": 7})
    objection = training_set("user_plays_v1", spine(), home=built)  # opt-out
    assert objection.data["user_id"].unique().sort().to_list() == ["ann", "cem"]
    assert objection.manifest["left_out"] == {"analytics": 3}
    tracks = {"track_id": ["song"], "event_timestamp": [NOW]}
    assert "left_out" not in training_set("track_rights_v1", tracks, home=built).manifest
    spine().write_parquet(tmp_path / "spine.parquet")
    assert training_set("session_v1", tmp_path / "spine.parquet", home=built).data.equals(pulled.data)
    assert set(Interactions.load(built).user_ids) == {"ann"}


def test_a_withdrawal_takes_effect_without_a_build_and_shows_in_a_repetition(built: Home) -> None:
    folder = training_set("session_v1", spine(), home=built).save()
    repeat(folder, home=built)
    store(built, event("ann", "training", False, 100))
    pulled = training_set("session_v1", spine(), home=built)
    assert pulled.data.is_empty()
    assert pulled.manifest["left_out"] == {"personalisation": 7, "training": 2}


def test_the_table_of_consent_says_the_same_as_of_a_moment(built: Home) -> None:
    rows = pl.DataFrame(
        [
            {"user_id": user, "purpose": "personalisation", "event_timestamp": ZERO + timedelta(hours=hours)}
            for user in WHO
            for hours in range(0, 100, 5)
        ]
    )
    pulled = training_set("consent_v1", rows, home=built).data
    permission = Permission.of(built, "personalisation")
    granted = permission._is_granted(rows, permission.rules[0])
    assert pulled["user_consent__granted"].fill_null(False).to_list() == granted.to_list()


def test_restricted_people_are_left_out_whatever_they_consent_to(built: Home) -> None:
    Restricted().with_person("user_id", "ann").save(built)
    pulled = training_set("session_v1", spine(), home=built)
    assert pulled.data.is_empty()
    assert pulled.manifest["left_out"] == {"restricted": 3, "personalisation": 6}
    tracks = {"track_id": ["song"], "event_timestamp": [NOW]}
    assert training_set("track_rights_v1", tracks, home=built).data.height == 1
    assert not {"ann"} & set(Interactions.load(built).user_ids)


def test_raw_rows_of_others_are_left_out_by_whoever_they_name(built: Home) -> None:
    texts = [
        {"text_id": who, "entity": "track", "entity_id": "song", "kind": "review", "text": "fine", "author_id": who}
        for who in ("ann", "bob", "nobody")
    ]
    about = {"text_id": "about", "entity": "user", "entity_id": "bob", "kind": "comment", "text": "fine"}
    moment = {"event_timestamp": ZERO, "language": "en"}
    rows = [row | moment for row in (*texts, {**about, "author_id": None})]
    friends = {"user_id": ["ann", "ann"], "friend_id": ["bob", "cem"], "event_timestamp": [ZERO, ZERO]}
    ingest(built, "test", [Batch("texts", pl.DataFrame(rows)), Batch("friendships", pl.DataFrame(friends))])
    store(built, event("ann", "training", False, 5))
    assert raw_rows(built, "texts").collect()["text_id"].to_list() == ["about", "bob", "nobody"]
    assert raw_rows(built, "friendships").collect().is_empty()
    Restricted().with_person("user_id", "bob").save(built)
    assert raw_rows(built, "texts").collect()["text_id"].to_list() == ["nobody"]
    assert raw_rows(built, "tracks").collect().equals(scan(built, "tracks").collect())


def test_a_model_is_trained_anew_without_who_has_withdrawn(built: Home, tmp_path: Path) -> None:
    model = find.models(built)["churn_model"]
    keys = [run_key(built, model, Digests(built))]
    store(built, event("ann", "training", False, 100))
    keys.append(run_key(built, model, Digests(built)))
    Restricted().with_person("user_id", "bob").save(built)
    keys.append(run_key(built, model, Digests(built)))
    assert len({*keys}) == 3
    assert people_left_out(Home(tmp_path / "nobody"), lambda: pytest.fail("nobody asks")) == {}
