"""One listener alone: nothing that was ever heard is new to them, what is said of it is true, and nothing fails."""

import numpy as np
import polars as pl
import pytest

from feature_repo import clock
from feature_repo.bundle import CHAMPION
from feature_repo.home import Home
from feature_repo.manifest import load_address
from feature_repo.packed.erase import erase_view
from feature_repo.packed.server import WRITE_TIMEOUT, open_server
from inference import RecommendationEngine
from inference.features import OnlineFeatures
from inference.recommend.heard import NOT_ONLINE
from inference.recommend.models import OF_STRATEGY
from inference.recommend.request import RequestOptions
from tests.oracles.reasons import PlaysOracle
from tests.worlds import ALONE
from training.datasets import training_set
from training.registry import versions
from training.version_files import decision_of

pytestmark = pytest.mark.journeys

UNHEARD = {f"track{number:04}" for number in range(1_300, 1_340)}


@pytest.fixture
def engine(in_alone: Home) -> RecommendationEngine:
    return RecommendationEngine.load("recommendation", in_alone)


def test_not_heard_before_means_never_heard(engine: RecommendationEngine, in_alone: Home) -> None:
    oracle = PlaysOracle(in_alone)
    assert len(oracle.heard(ALONE)) > 1_000  # more than user_history lists
    answer = engine.recommend(ALONE, count=200, most_by_artist=200)
    assert {item.track_id for item in answer.items} == UNHEARD
    with pytest.MonkeyPatch.context() as patch:  # by the rows of pairs alone, as with many listeners
        patch.setattr(engine._again, "heard_places", lambda listener: np.empty(0, np.int64))
        by_pairs = engine.recommend(ALONE, count=200, most_by_artist=200)
    assert {item.track_id for item in by_pairs.items} == UNHEARD
    assert len(engine.recommend(ALONE, count=10).items) == 10
    for strategy in ("collaborative", "content", "hybrid", "real_time", "cold_start"):
        items = engine.recommend(ALONE, count=30, strategy=strategy).items  # type: ignore[arg-type]
        assert items
        assert {item.track_id for item in items} <= UNHEARD
    nothing = engine.recommend(ALONE, exclude_tracks=UNHEARD)
    assert not nothing.items
    assert "every track was heard" in str(nothing.note)


def test_no_other_listeners_are_claimed(engine: RecommendationEngine, in_alone: Home) -> None:
    oracle = PlaysOracle(in_alone)
    for strategy in (None, *filter(None, OF_STRATEGY)):
        for item in engine.recommend(ALONE, count=40, explore=0.3, seed=1, strategy=strategy).items:  # type: ignore[arg-type]
            assert oracle.holds(ALONE, item), item
            assert "listener" not in item.reason


def test_what_to_hear_again_is_heard_and_not_just_played(engine: RecommendationEngine, in_alone: Home) -> None:
    oracle = PlaysOracle(in_alone)
    again = engine.recommend(ALONE, count=50, strategy="again", most_by_artist=50).items
    assert len({item.track_id for item in again}) == 50
    last = [track for track, *_ in oracle.plays[ALONE][-5:]]
    assert {item.track_id for item in again} <= oracle.heard(ALONE) - set(last)
    forgotten = engine.recommend(ALONE, count=5, strategy="forgotten").items
    assert forgotten
    assert all(item.reason.startswith("a forgotten favourite") for item in forgotten)
    counts = [item.score or 0 for item in forgotten]
    assert counts == sorted(counts, reverse=True)
    artists = {item.artist_id for item in again[:3]}
    others = engine.recommend(ALONE, count=50, strategy="again", exclude_artists=sorted(map(str, artists))).items
    assert not artists & {item.artist_id for item in others}
    nobody = engine.recommend("nobody", strategy="again")
    assert (nobody.items, nobody.note) == ([], "nothing that this listener heard is known")


def test_the_champion_did_not_lose_to_a_simple_order(in_alone: Home) -> None:
    champion = next(item for item in versions(in_alone) if CHAMPION in item.aliases)
    decision = decision_of(in_alone, "recommendation", champion.version)
    assert decision is not None
    assert decision.may_serve
    page = (in_alone.bundles("recommendation") / str(champion.version) / "report.html").read_text()
    assert "they need at least 10 listeners, found 1" in page
    assert "40 tracks of the catalogue" in page


def test_a_store_without_the_old_plays_is_noticed(in_alone: Home, engine: RecommendationEngine) -> None:
    places = np.arange(5)
    assert engine._heard.among(ALONE, places, "track never heard") is None
    listener = engine._look_up(ALONE, {}, RequestOptions())
    assert listener.witness in PlaysOracle(in_alone).heard(ALONE)
    heard, note = engine._search.heard_among(listener, places)
    assert (heard.tolist(), note) == ([0, 1, 2, 3, 4], None)


def test_the_own_plays_online_are_those_of_a_training_set(in_alone: Home) -> None:
    spine = pl.DataFrame({"user_id": [ALONE, "nobody"], "event_timestamp": [clock.now()] * 2})
    offline = training_set("own_listening_v1", spine, home=in_alone).to_polars()
    online = OnlineFeatures("own_listening_v1", in_alone).get({"user_id": spine["user_id"].to_list()}).values
    for name, values in online.items():
        assert list(values[0]) == offline[name][0].to_list()
        assert values[1] is None
    oracle = PlaysOracle(in_alone)
    assert set(online["user_own_listening__track_ids"][0]) == oracle.heard(ALONE)
    assert sum(online["user_own_listening__plays"][0]) == len(oracle.plays[ALONE])


def test_without_the_old_plays_nothing_is_claimed(own_world: Home) -> None:
    engine = RecommendationEngine.load("recommendation", own_world)
    server = open_server(own_world, load_address(own_world), WRITE_TIMEOUT)
    erase_view(server, own_world.project, "user_track_history")
    answer = engine.recommend("u000007", count=30, strategy="cold_start")
    assert NOT_ONLINE in str(answer.note)
    assert not any("listener" in item.reason or "not heard" in item.reason for item in answer.items)
