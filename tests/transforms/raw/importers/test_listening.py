"""What importers of listening histories share: entities dated by their first play, recordings by their spelling."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from transforms.raw.importers.listening import played_batches, recording

START = datetime(2024, 3, 1, tzinfo=UTC)
PLAYS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 1_000)), min_size=1, max_size=20)


@given(PLAYS, st.randoms())
def test_each_entity_is_dated_by_its_first_play_in_whatever_order(plays, order):
    rows = [
        {
            "user_id": f"lb:{user}",
            "track_id": f"mb:{track}",
            "title": f"Title {track}",
            "artist_id": f"mb:artist {track % 2}",
            "artist_name": f"Artist {track % 2}",
            "event_timestamp": START + timedelta(minutes=minute),
            "reported_by": "listenbrainz",
        }
        for user, track, minute in plays
    ]
    order.shuffle(rows)
    batches = {batch.table: batch.rows for batch in played_batches(pl.DataFrame(rows))}
    for table, entity in (("users", "user_id"), ("tracks", "track_id"), ("artists", "artist_id")):
        first = {}
        for row in rows:
            first[row[entity]] = min(first.get(row[entity], row["event_timestamp"]), row["event_timestamp"])
        assert dict(batches[table].select(entity, "event_timestamp").iter_rows()) == first
    assert batches["plays"].height == len(rows)
    expected = [recording(row["title"], row["artist_name"]) for row in rows]
    assert batches["plays"]["recording"].to_list() == expected


def test_a_play_without_a_title_has_no_recording():
    row = {"user_id": "a", "track_id": "t", "event_timestamp": START, "reported_by": "x", "title": None}
    plays = list(played_batches(pl.DataFrame([row])))[-1].rows
    assert plays["recording"].to_list() == [None]
    assert plays["created_timestamp"].to_list() == [START]


def test_spellings_of_one_recording_meet_and_versions_do_not():
    assert recording("Slow Comet (feat. Zoë Quill)", "The Oort Gardeners") == recording("slow comet", "OORT GARDENERS")
    assert recording("Halo - Live", "Beyoncé") != recording("Halo", "Beyoncé")
    assert recording("Söndagståg", "Tindra Mölk") == recording("Sondagstag", "tindra molk")
