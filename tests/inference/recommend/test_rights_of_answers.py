"""No answer has a track that is explicit where that is excluded, or not licensed, with the online store and without."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home
from inference import RecommendationEngine
from inference.features import OnlineFeatures
from inference.recommend import known_rights
from inference.recommend.answer import Answer
from inference.recommend.candidates import SOURCES_OF
from inference.recommend.engine import OF_HEARD
from inference.recommend.known_rights import KnownRights
from tests.oracles.rights import Row, may_be_played
from transforms import feature_tables

COUNTRIES = ("SE", "JP", None)
STRATEGIES = (None, *SOURCES_OF, *OF_HEARD)


@dataclass(frozen=True)
class Truth:
    """The newest rights of every track and the country of every listener, from the feature tables."""

    rows: dict[str, Row]
    countries: dict[str, str]

    @classmethod
    def of(cls, home: Home) -> "Truth":
        """Read them."""
        tracks, profiles = (
            feature_tables.scan(home, view).sort("event_timestamp").collect()
            for view in ("track_catalogue", "user_profile")
        )
        rows = {
            track: Row(available, explicit, None if regions is None else tuple(regions))
            for track, available, explicit, regions in tracks.select(
                "track_id", "available", "explicit", "regions"
            ).iter_rows()
        }
        return cls(rows, dict(profiles.select("user_id", "country").iter_rows()))

    def forbids(self, answer: Answer, country: str | None) -> list[str]:
        """The tracks of an answer without explicit tracks that should not be in it."""
        current_country = country or self.countries.get(answer.user_id)
        return [
            item.track_id
            for item in answer.items
            if not may_be_played(self.rows[item.track_id], current_country, explicit=False)
        ]


def forbidden_items(engine: RecommendationEngine, truth: Truth) -> tuple[list[str], int]:
    """Ask in many ways; return the tracks that should not be in the answers, and the number of those that are."""
    forbidden, count = [], 0
    for number, (user, strategy) in enumerate(product(("u000007", "nobody"), STRATEGIES)):
        country = COUNTRIES[number % len(COUNTRIES)]
        options: dict[str, Any] = {"explore": 0.5 * (number % 2), "pick_genres": ["pop", "jazz"][: number % 3]}
        answer = engine.recommend(
            user, count=60, country=country, explicit=False, strategy=strategy, seed=number, **options
        )
        count += len(answer.items)
        forbidden += truth.forbids(answer, country)
    return forbidden, count


@pytest.fixture
def truth(in_world: Home) -> Truth:
    return Truth.of(in_world)


@pytest.fixture
def new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Forgets what this process knows, as a new one does; and nothing of the test stays."""
    known_rights._shared.cache_clear()
    yield known_rights._shared.cache_clear
    known_rights._shared.cache_clear()


@pytest.fixture
def stop_store(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def unavailable(self: OnlineFeatures, *arguments: Any, **options: Any) -> Any:
        raise OnlineUnavailable(expected="the online store to answer", found="nothing", next_command="wait")

    return lambda: monkeypatch.setattr(OnlineFeatures, "get", unavailable)


def test_with_and_without_the_store_after_a_swap_and_a_start(
    truth: Truth,
    own_world: Home,
    new_process: Callable[[], None],
    stop_store: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = RecommendationEngine.load("recommendation", own_world)
    forbidden, count = forbidden_items(engine, truth)
    assert (forbidden, count > 400) == ([], True)
    assert KnownRights.of(own_world).refresh()
    stop_store()
    forbidden, count = forbidden_items(engine, truth)
    assert (forbidden, count > 400) == ([], True)
    swapped_in = RecommendationEngine.load("recommendation", own_world)
    swapped_in.try_out()
    forbidden, count = forbidden_items(swapped_in, truth)
    assert (forbidden, count > 400) == ([], True)
    new_process()
    started = RecommendationEngine.load("recommendation", own_world)
    forbidden, count = forbidden_items(started, truth)
    assert (forbidden, count > 400) == ([], True)
    newer = started.catalogue.popular[:3]
    started._rights.read_at[newer] = -float("inf")  # tracks that the file does not have
    newer_tracks = {started.catalogue.track_ids[place] for place in newer.tolist()}
    answer = started.recommend("nobody", count=500)
    assert not newer_tracks & {item.track_id for item in answer.items}
    assert "candidates are left out, as it is not known" in str(answer.note)
    started._rights._max_staleness_s = 0.0
    answer = started.recommend("nobody", count=5)
    assert answer.items == []
    new_process()
    KnownRights.of(own_world).file.unlink()
    nothing_known = RecommendationEngine.load("recommendation", own_world)
    nothing_known.try_out()  # the model is not at fault
    assert forbidden_items(nothing_known, truth) == ([], 0)
    assert "it is not known whether they may be played" in str(nothing_known.recommend("nobody").note)


def test_the_store_goes_in_the_middle_of_an_answer(
    truth: Truth, in_world: Home, new_process: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listener was found; then each of the lookups that follow fails in turn."""
    get, calls = OnlineFeatures.get, [0, 0]

    def failing_from(self: OnlineFeatures, *arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] > calls[1]:
            raise OnlineUnavailable(expected="the online store to answer", found="nothing", next_command="wait")
        return get(self, *arguments, **options)

    engine = RecommendationEngine.load("recommendation", in_world)
    monkeypatch.setattr(OnlineFeatures, "get", failing_from)
    for first_failure in range(1, 7):
        engine._rights.read_at -= 10.0
        for strategy in STRATEGIES:
            calls[:] = [0, first_failure]
            answer = engine.recommend("u000007", count=50, country="JP", explicit=False, strategy=strategy)
            assert not truth.forbids(answer, "JP")
