"""Lineage from declarations: of each kind of definition, and of those that name what is not there."""

from types import SimpleNamespace

import pytest
from feast import Field
from feast.types import Int64

from feature_repo.contract import Contract
from feature_repo.definitions.entities import user
from feature_repo.errors import InputError
from feature_repo.project import Project
from feature_repo.sources import feature_table
from refrain.lineage.declared import column, declared_lineage, feature
from refrain.lineage.graph import Lineage, Node


@pytest.fixture(scope="module")
def music() -> Lineage:
    return declared_lineage(Contract(Project()))


def _columns(lineage: Lineage, node: Node) -> set[str]:
    return {source.name for source in lineage.upstream(node) if source.kind == "column"}


TIMES = {"plays.event_timestamp", "plays.created_timestamp"}


def test_a_windowed_feature_has_its_column_its_key_and_the_times(music: Lineage) -> None:
    assert _columns(music, feature("user_listening", "listening_ms_7d")) == TIMES | {"plays.user_id", "plays.ms_played"}
    assert _columns(music, feature("platform_activity", "plays_1d")) == TIMES  # its key is the tenant


def test_a_condition_counts(music: Lineage) -> None:
    assert "requests.status" in _columns(music, feature("endpoint_performance", "error_rate_1h"))
    assert "requests.status" not in _columns(music, feature("endpoint_performance", "latency_1h"))


def test_a_table_of_one_function_has_the_columns_of_its_view(music: Lineage) -> None:
    assert "users.gender" in _columns(music, feature("user_profile", "gender"))
    assert "users.gender" not in _columns(music, feature("user_profile", "plan"))
    rows = {"audio_analyses.content", "audio_measurements.content"}
    assert rows <= _columns(music, feature("track_features", "duration_ms"))


def test_the_moment_takes_its_own_parts_alone(music: Lineage) -> None:
    above = music.upstream(feature("user_session_now", "idle_seconds"))
    assert feature("user_session", "idle_seconds_at") in above and Node("request", "request_timestamp") in above
    assert feature("user_session", "intensity_mass") not in above


def test_a_service_has_the_features_that_it_takes_and_no_others(music: Lineage) -> None:
    above = music.upstream(Node("service", "recommendation_v1"))
    assert feature("user_listening", "plays_28d") in above
    assert feature("user_listening", "listening_ms_28d") not in above
    assert feature("track_catalogue", "released") in above  # of track_age


def test_what_a_model_writes_comes_from_what_it_reads(music: Lineage) -> None:
    above = music.upstream(feature("user_taste", "vector"))
    assert Node("model", "recommendation") in above and feature("user_profile", "birth_year") not in above
    assert column("friendships", "friend_id") in above and column("plays", "device") not in above
    assert Node("output", "recommendation/user_taste") in above and column("plays", "track_id") in above
    assert Node("service", "listener_v1") in music.downstream(column("plays", "track_id"))


def test_every_feature_of_the_bundled_definitions_has_a_source(music: Lineage) -> None:
    orphans = [str(node) for node in music.of_kind("feature") if not music.upstream(node)]
    assert orphans == []


def test_every_table_of_one_function_declares_its_columns() -> None:
    contract = Contract(Project())
    undeclared = [
        f"{name}:{field.name}"
        for name in contract.computed_tables
        for field in contract.views[name].features
        if "raw_columns" not in field.tags
    ]
    assert undeclared == []


def _one_table(monkeypatch: pytest.MonkeyPatch, **lineage: object) -> Lineage:
    """The lineage of the table user_profile alone, with another declaration of its columns."""
    view = feature_table(
        "user_profile", entities=[user], schema=[Field(name="n", dtype=Int64)], description="-", **lineage
    )
    contract = Contract(Project())
    monkeypatch.setattr(contract, "__dict__", contract.__dict__ | {"views": {"user_profile": view}})
    for name in ("windowed", "on_demand", "on_demand_views", "services"):
        contract.__dict__[name] = {}
    return declared_lineage(contract, models={})


def test_without_columns_a_feature_has_all_of_the_raw_table(monkeypatch: pytest.MonkeyPatch) -> None:
    lineage = _one_table(monkeypatch)
    assert {"users.gender", "users.plan", "users.event_timestamp"} <= _columns(lineage, feature("user_profile", "n"))


@pytest.mark.parametrize("lineage", [{"columns": {"*": "users.age"}}, {"rows": "plays.device"}, {"rows": "plan"}])
def test_a_column_that_the_function_does_not_take_is_refused(
    monkeypatch: pytest.MonkeyPatch, lineage: dict[str, object]
) -> None:
    with pytest.raises(InputError, match="raw columns of users in columns= and rows= of the view user_profile"):
        _one_table(monkeypatch, **lineage)


@pytest.mark.parametrize("columns", [{"m": "users.plan"}, {"*": "users.plan", "m*": "users.plan"}])
def test_a_pattern_that_fits_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, columns: dict[str, str]) -> None:
    with pytest.raises(InputError, match="columns="):
        _one_table(monkeypatch, columns=columns)


def test_dimensions_are_upstream_with_the_keys_that_join_them() -> None:
    from feature_repo.windows import Enrich, EventSource, Sum, WindowedTable
    from refrain.lineage.declared import _windowed

    episodes = EventSource("episodes", {"episode_id": "String", "price": "Int64"}, key=("episode_id",))
    heard = EventSource("heard", {"user_id": "String", "of": "String"}, key=("user_id",))
    table = WindowedTable(
        "spent", "-", heard, ("user_id",), ("1d",), {"paid": Sum("price")},
        enrich=(Enrich(episodes, on={"of": "episode_id"}, take="price"),),
    )  # fmt: skip
    names = {"heard": ("user_id", "of"), "episodes": ("episode_id", "price")}
    raw = {
        name: SimpleNamespace(columns=[*columns, "event_timestamp", "created_timestamp"])
        for name, columns in names.items()
    }
    lineage = Lineage([], _windowed(table, raw))  # type: ignore[arg-type]
    times = {f"{name}.{time}" for name in names for time in ("event_timestamp", "created_timestamp")}
    above = _columns(lineage, feature("spent", "paid_1d"))
    assert above == times | {"heard.user_id", "heard.of", "episodes.episode_id", "episodes.price"}
    assert lineage.uses(column("heard", "of"), Node("tile", "spent.paid")) == ("join",)
