"""Matching of tracks to recordings, unaffected by tracks that come later."""

import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.batch.catalogue.links import Catalogue, Track, identities
from transforms.batch.catalogue.match import THRESHOLD, score, song_score
from transforms.batch.features.track_identity import track_identity
from transforms.pure.text.spelling import spelled

SAME = [
    (("Doo Wop (That Thing)", "Lauryn Hill"), ("Doo-Wop", "Ms. Lauryn Hill")),
    (("I'll Be", "Puff Daddy & Faith Evans Featuring 112"), ("I’ll Be (feat. 112)", "Puff Daddy, Faith Evans")),
    (("Hey Ya!", "OutKast"), ("hey ya", "Outkast")),
    (("Beyond the Sea", "Bobby Darin"), ("Beyond The Sea - 2006 Remaster", "Bobby Darin")),
    (("Voulez-Vous", "ABBA"), ("VOULEZ VOUS", "Abba")),
    (("Wonderful Tonight", "Eric Clapton"), ("Wonderfull Tonight", "Eric Clapton")),
]  # fmt: skip
OTHERS = [
    (("One", "Mary J. Blige And U2"), ("One", "U2")),
    (("Goodbye My Lover", "James Blunt"), ("Goodbye My Love", "James Brown")),
    (("Sonata No. 2", "Somebody"), ("Sonata No. 3", "Somebody")),
    (("Creep", "Radiohead"), ("Creep - Live", "Radiohead")),
    (("Without You", "David Guetta Featuring Usher"), ("Without You", "David Bowie")),
    (("Everything", "Anna"), ("Nothing", "Anna")),
    (("", ""), ("", "")),
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_the_same_recording_under_two_spellings(first: tuple[str, str], second: tuple[str, str]) -> None:
    assert score(spelled(*first), spelled(*second)) >= THRESHOLD


@pytest.mark.parametrize(("first", "second"), OTHERS)
def test_what_is_another_recording_stays_apart(first: tuple[str, str], second: tuple[str, str]) -> None:
    assert score(spelled(*first), spelled(*second)) < THRESHOLD


def test_live_is_the_same_song_in_another_version() -> None:
    assert song_score(spelled("Creep", "Radiohead"), spelled("Creep - Live", "Radiohead")) == 1.0


@given(st.text(max_size=30), st.text(max_size=20), st.text(max_size=30), st.text(max_size=20))
def test_likeness_is_symmetric_and_within_bounds(
    title: str, performer: str, other_title: str, other_performer: str
) -> None:
    first, second = spelled(title, performer), spelled(other_title, other_performer)
    assert score(first, second) == pytest.approx(score(second, first))
    assert 0 <= score(first, second) <= 1


WORDS = ("moon", "river", "fire", "heart", "night", "blue", "dance", "road")
NAMES = ("the kites", "anna lee", "mr smith", "delta four")
SONGS = st.builds(
    lambda source, words, name: (f"{source}:", " ".join(words), name),
    st.sampled_from(["a", "b"]),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    st.sampled_from(NAMES),
)


@given(st.lists(SONGS, max_size=12), st.integers(0, 12))
def test_nothing_later_has_a_say(songs: list[tuple[str, str, str]], until: int) -> None:
    tracks = [
        Track(f"{source}{position}", title, performer) for position, (source, title, performer) in enumerate(songs)
    ]
    links = identities(tracks)
    assert identities(tracks[:until]) == links[:until]
    for position, link in enumerate(links):
        assert link.recording <= position
        assert links[link.recording].recording == link.recording


@given(st.lists(SONGS, min_size=2, max_size=10))
def test_the_best_candidate_is_the_best_of_all(songs: list[tuple[str, str, str]]) -> None:
    (_, title, performer), *others = songs
    catalogue = Catalogue([Track(f"{source}{number}", *song) for number, (source, *song) in enumerate(others)])
    naive = max(score(spelled(title, performer), spelling) for spelling in catalogue.spellings)
    best = catalogue.best(title, performer)
    assert (best[1] if best and best[1] >= THRESHOLD else 0.0) == (naive if naive >= THRESHOLD else 0.0)


def test_charts_and_plays_of_two_sources_meet(home) -> None:  # type: ignore[no-untyped-def]
    from datetime import UTC, datetime

    def january(day: int) -> datetime:
        return datetime(2026, 1, day, tzinfo=UTC)

    rows = pl.DataFrame(
        [
            ("spotify:track:1", "Smooth (feat. Rob Thomas)", "Santana", january(1), january(1)),
            ("bb:hot100:smooth:santana", "Smooth", "Santana Featuring Rob Thomas", january(2), january(5)),
            ("spotify:track:2", "Smooth (feat. Rob Thomas) - Live", "Santana", january(3), january(3)),
            ("spotify:track:3", "Smoothe", "Santana", january(4), january(4)),
            ("spotify:track:4", None, "Santana", january(4), january(4)),
        ],
        schema=["track_id", "title", "artist_name", "event_timestamp", "created_timestamp"],
        orient="row",
    ).with_columns(artist_id=pl.lit("a"))
    identity_of = {row["track_id"]: row for row in track_identity(rows).iter_rows(named=True)}
    assert len(identity_of) == 4
    assert identity_of["bb:hot100:smooth:santana"]["recording_id"] == "spotify:track:1"
    assert identity_of["spotify:track:2"]["recording_id"] == "spotify:track:2"
    assert identity_of["spotify:track:2"]["song_id"] == "spotify:track:1"
    assert identity_of["spotify:track:2"]["versions"] == ["live"]
    assert identity_of["spotify:track:3"]["recording_id"] == "spotify:track:3"  # only similar, and from the same source
    assert identity_of["bb:hot100:smooth:santana"]["created_timestamp"] == january(5)


def test_time_grows_with_the_catalogue_not_with_its_square() -> None:
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnop", k=6)) for _ in range(400)]
    names = ["".join(rng.choices("abcdefghijklmnop", k=7)) for _ in range(300)]
    tracks = [Track(f"s{n % 2}:{n}", " ".join(rng.choices(words, k=3)), rng.choice(names)) for n in range(2_000)]
    catalogue = Catalogue(tracks)
    assert sum(len(catalogue.candidates(spelling)) for spelling in catalogue.spellings) / len(tracks) < 30
