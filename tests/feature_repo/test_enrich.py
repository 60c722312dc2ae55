"""Declarations of windowed tables with dimensions: what they take, and what is refused with both places named."""

from pathlib import Path
from typing import Any

import pytest

from feature_repo.contract import Contract
from feature_repo.errors import InputError
from feature_repo.example import Example, example
from feature_repo.project import Project
from feature_repo.windows import Count, Enrich, EventSource, Sum, TopK, WindowedTable, column
from tests.projects import imports_undone, write_project

plays = EventSource(
    "plays",
    columns={"listener": "String", "episode_id": "String", "disc": "Int64", "price": "Float64"},
    key=("listener",),
)
episodes = EventSource(
    "episodes",
    columns={"episode_id": "String", "show_id": "String", "price": "Float64", "score": "Float64", "minutes": "Int64"},
    key=("episode_id",),
    resolution={"price": 0.01},
)
shows = EventSource("shows", columns={"show_id": "String", "publisher": "String"}, key=("show_id",))
prices = EventSource("prices", columns={"episode_id": "String", "market": "String", "cents": "Int64"})
discs = EventSource("discs", columns={"number": "Int64", "side": "String", "title": "String"}, key=("number", "side"))

EPISODE = Enrich(episodes, on="episode_id", take={"show_id": "show_id", "list_price": "price", "score": "score"})


def table(*dimensions: Any, features: dict[str, Any] | None = None, **more: Any) -> WindowedTable:
    options: dict[str, Any] = {"keys": ("listener",), "windows": ("7d",), "enrich": dimensions, **more}
    return WindowedTable("heard", "", plays, features=features or {"plays": Count()}, **options)


def test_columns_have_their_types_and_units() -> None:
    features = {"shows": TopK("show_id", k=2), "spent": Sum("list_price"), "publishers": TopK("publisher")}
    one = table(EPISODE, Enrich(shows, on="show_id", take="publisher"), features=features)
    assert dict(one.fields)["spent_7d"] == "Float64"
    assert one.enriched.units("list_price") == episodes.units("price")
    assert one.columns == ("list_price", "listener", "publisher", "show_id")
    assert one.reported_columns == ("episode_id", "listener")
    assert one.origin("list_price") == (episodes, "price")
    assert one.origin("disc") == (plays, "disc")
    assert one.sources == (plays, episodes, shows)
    assert table().enriched is plays


def test_keys_may_come_from_a_dimension() -> None:
    assert table(EPISODE, keys=("show_id",)).keys == ("show_id",)


@pytest.mark.parametrize(
    ("enrich", "message"),
    [
        ("episodes", "expected dimensions of the project, such as enrich=.*found 'episodes'"),
        (Enrich(episodes.name, on="episode_id", take="show_id"), "with its EventSource.*found 'episodes'"),  # type: ignore[arg-type]
        (Enrich(plays, on="listener", take={"other": "price"}), "another kind of events than plays as dimension"),
        (Enrich(episodes, on="track_id", take="show_id"), r"the key \('episode_id',\) of the EventSource episodes"),
        (Enrich(prices, on="episode_id", take="cents"), r"the key \(\) of the EventSource prices"),
        (Enrich(discs, on={"disc": "number"}, take="title"), r"the key \('number', 'side'\) of .* discs in on=, whole"),
        (Enrich(episodes, on={"heard": "episode_id"}, take="show_id"), r"found 'heard' \(which is not there\)"),
        (
            Enrich(episodes, on={"disc": "episode_id"}, take="show_id"),
            r"disc of plays of the type of episode_id in episodes, String.*'disc' \(Int64\)",
        ),
        (Enrich(episodes, on="episode_id", take=()), "columns of the EventSource episodes in take=.*found none"),
        (Enrich(episodes, on="episode_id", take="category"), "columns of the EventSource episodes in .*'category'"),
        (
            Enrich(episodes, on="episode_id", take="price"),
            r"take=\{'episodes_price': 'price'\}.*'price', which the events of plays have already",
        ),
        (Enrich(episodes, on="episode_id", take={"event_timestamp": "minutes"}), "'event_timestamp', which"),
        (Enrich(episodes, on="episode_id", take={"platform_id": "show_id"}), "'platform_id', which"),
    ],
)
def test_what_does_not_fit_is_one_error_that_names_both_places(enrich: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        table(enrich)
    assert "the windowed table heard" in str(error.value)


@pytest.mark.parametrize("enrich", [EPISODE, [EPISODE]])
def test_dimensions_are_in_a_tuple(enrich: Any) -> None:
    with pytest.raises(InputError, match=r"a tuple of dimensions, such as enrich=\(EPISODE,\), .* heard"):
        table(enrich=enrich)


def test_names_of_two_dimensions_differ_and_their_order_counts() -> None:
    show = Enrich(shows, on="show_id", take="publisher")
    assert table(EPISODE, show).enriched.dtype("publisher") == "String"
    with pytest.raises(InputError, match=r"found 'show_id' \(which is not there\)"):
        table(show, EPISODE)
    with pytest.raises(InputError, match="found 'show_id', which"):
        table(EPISODE, EPISODE)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"features": {"s": Sum("score")}}, r'in the EventSource episodes, .*EventSource\("episodes", …, resolution='),
        ({"features": {"s": Sum("minutes")}}, "'minutes' .which is not there"),
        ({"where": column("minutes") > 3}, "a condition on 'minutes'"),
        ({"keys": ("minutes",)}, "the key 'minutes'"),
    ],
)
def test_features_read_what_is_taken(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        table(EPISODE, **more)


@pytest.mark.parametrize(
    "other",
    [
        Enrich(episodes, on="episode_id", take={"show_id": "show_id", "list_price": "price"}),
        Enrich(episodes, on="episode_id", take={"show_id": "show_id", "list_price": "score", "score": "price"}),
    ],
)
def test_the_fingerprint_changes_with_what_is_taken(other: Enrich) -> None:
    assert len({table().fingerprint, table(EPISODE).fingerprint, table(other).fingerprint}) == 3


def test_a_dimension_is_among_the_events_of_the_project(tmp_path: Path) -> None:
    definitions = """
        from refrain import Count, Enrich, EventSource, WindowedTable

        plays = EventSource("plays", columns={"listener": "String", "episode": "String"}, key=("listener",))

        def elsewhere():
            return EventSource("episodes", columns={"episode": "String", "show": "String"}, key=("episode",))

        heard = WindowedTable(
            "heard", "", plays, ("listener",), ("1d",), {"plays": Count()},
            enrich=(Enrich(elsewhere(), on="episode", take=("show",)),),
        )
        """
    with imports_undone():
        toml = 'name = "podcasts"\ndefinitions = ["heard_elsewhere"]\n'
        folder = write_project(tmp_path, {"refrain.toml": toml, "heard_elsewhere.py": definitions})
        contract = Contract(Project.load(folder))
        with pytest.raises(
            InputError, match=r"the dimension of the windowed table heard.*'episodes' in heard_elsewhere"
        ):
            _ = contract.windowed


def heard(**changes: Any) -> Example:
    options: dict[str, Any] = {
        "events": [{"listener": "ann", "episode_id": "e", "event_timestamp": "2026-01-01T10:00:00Z"}],
        "at": "2026-01-02",
        "expect": {"plays_7d": 1},
        "dimensions": {"episodes": [{"episode_id": "e", "show_id": "s", "event_timestamp": "2026-01-01"}]},
    }
    return example(table(EPISODE), **{**options, **changes})


def test_an_example_has_rows_of_dimensions() -> None:
    one = heard(
        dimensions={"episodes": [{"episode_id": "e", "show_id": "s", "price": 0.5, "event_timestamp": "2026-01-01"}]}
    )
    assert one.dimensions["episodes"][0]["show_id"] == "s"
    assert one.name != heard(dimensions={}).name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dimensions": {"shows": []}}, r"dimensions of heard in dimensions, \['episodes'\].*found 'shows'"),
        ({"dimensions": {"episodes": [{"episode_id": "e"}]}}, "event_timestamp in row 1 of episodes"),
        ({"dimensions": {"episodes": [{"genre": 1, "event_timestamp": "2026-01-01"}]}}, "columns of episodes in row 1"),
        (
            {"dimensions": {"episodes": [{"minutes": "1", "event_timestamp": "2026-01-01"}]}},
            "Int64 as minutes of row 1",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        heard(**changes)
