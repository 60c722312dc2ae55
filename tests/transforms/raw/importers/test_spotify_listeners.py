"""Whose an export is: never two people as one, never one person as two."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.music import FORMATS
from tests.transforms.raw.importers.spotify_exports import EXTENDED, archive, extended, short, write
from transforms.raw.importers.same_person import same_person
from transforms.raw.importers.spotify_listeners import place_of
from transforms.raw.ingest import ingest
from transforms.raw.read import scan


def load(home: Home, path: Path, **options: Any) -> set[str]:
    """Imports a path; returns all listeners who are stored."""
    ingest(home, "spotify", FORMATS["spotify"].batches(path, home, **options))
    return set(scan(home, "plays").select("user_id").unique().collect()["user_id"])


def export(path: Path, numbers: range | list[int], form: Callable[..., Any] = extended, **changes: Any) -> Path:
    name = EXTENDED if form is extended else "StreamingHistory_music_0.json"
    return archive(
        path / "my_spotify_data.zip", {f"Spotify Account Data/{name}": [form(n, **changes) for n in numbers]}
    )


MIRA, TOMAS = [*range(0, 90, 3)], [*range(0, 15, 3), *range(1, 90, 3)]
"""Numbers of plays; five are of both."""


def test_two_people_without_names_stay_two(home: Home, tmp_path: Path) -> None:
    mira, tomas = export(tmp_path / "mira", MIRA), export(tmp_path / "tomas", TOMAS)
    assert load(home, mira) == {"spotify:me"}
    assert load(home, tomas) == {"spotify:me", "spotify:tomas"}
    for path in (tomas, mira, export(tmp_path / "moved", TOMAS), tmp_path / "mira"):
        assert load(home, path) == {"spotify:me", "spotify:tomas"}
    assert scan(home, "plays").collect().height == len(MIRA) + len(TOMAS)


def test_two_people_in_one_folder_are_called_by_their_folders(home: Home, tmp_path: Path) -> None:
    export(tmp_path / "mira", MIRA), export(tmp_path / "tomas", TOMAS)
    assert load(home, tmp_path) == {"spotify:mira", "spotify:tomas"}
    assert load(home, export(tmp_path / "elsewhere", MIRA)) == {"spotify:mira", "spotify:tomas"}


def test_a_newer_export_without_a_name_is_of_the_same_person(home: Home, tmp_path: Path) -> None:
    older = write(tmp_path / "MyData" / "endsong_0.json", [extended(n, username="mira") for n in range(30)])
    assert load(home, older) == {"spotify:mira"}
    assert load(home, export(tmp_path / "newer", range(45))) == {"spotify:mira"}
    assert scan(home, "plays").collect().height == 45


def test_a_name_that_comes_later_is_of_the_same_person(home: Home, tmp_path: Path) -> None:
    assert load(home, export(tmp_path / "newer", range(45))) == {"spotify:me"}
    older = write(tmp_path / "MyData" / "endsong_0.json", [extended(n, username="mira") for n in range(30)])
    assert load(home, older) == {"spotify:me"}


def test_a_person_who_was_named_once_is_found_again(home: Home, tmp_path: Path) -> None:
    assert load(home, export(tmp_path / "older", range(30)), user="Mira M.") == {"Mira M."}
    assert load(home, export(tmp_path / "newer", range(45))) == {"Mira M."}


def test_both_forms_of_one_person_meet(home: Home, tmp_path: Path) -> None:
    assert load(home, export(tmp_path / "short", range(20, 60), short)) == {"spotify:me"}
    assert load(home, export(tmp_path / "long", range(40))) == {"spotify:me"}


def test_account_data_beside_a_history_name_its_listener(home: Home, tmp_path: Path) -> None:
    write(tmp_path / "Spotify Account Data" / "Userdata.json", {"username": "mira", "email": "mira@example.org"})
    history = write(tmp_path / "Spotify Extended Streaming History" / EXTENDED, [extended(n) for n in range(9)])
    assert load(home, history) == {"spotify:mira"}
    assert load(home, tmp_path) == {"spotify:mira"}


def test_an_unnamed_export_of_another_time_needs_a_name(home: Home, tmp_path: Path) -> None:
    load(home, export(tmp_path / "a", range(10)))
    later = export(tmp_path / "b", range(50, 60))
    with pytest.raises(InputError, match=r"names its listener.*--user NAME"):
        load(home, later)
    assert load(home, later, user="spotify:me") == {"spotify:me"}


def test_two_unnamed_exports_of_different_times_need_a_name(home: Home, tmp_path: Path) -> None:
    export(tmp_path / "a", range(10)), export(tmp_path / "b", range(50, 60))
    with pytest.raises(InputError, match=r"names its listener"):
        load(home, tmp_path)
    assert load(home, tmp_path, user="mira") == {"mira"}


def test_the_user_is_one_person(home: Home, tmp_path: Path) -> None:
    write(tmp_path / "one" / EXTENDED, [extended(n, username="mira") for n in range(5)])
    assert load(home, tmp_path / "one", user="Mira M.") == {"Mira M."}
    write(tmp_path / "two" / EXTENDED, [extended(n, username="tomas") for n in range(5)])
    with pytest.raises(InputError, match="exports of one person"):
        load(home, tmp_path, user="mira")
    mixed = write(tmp_path / "endsong.json", [extended(n, username=f"u{n % 2}") for n in range(5)])
    with pytest.raises(InputError, match="exports of one person"):
        load(home, mixed, user="mira")
    assert load(Home(tmp_path / "home2"), mixed) == {"spotify:u0", "spotify:u1"}
    export(tmp_path / "unnamed" / "mira", MIRA), export(tmp_path / "unnamed" / "tomas", TOMAS)
    with pytest.raises(InputError, match="exports of one person"):
        load(home, tmp_path / "unnamed", user="mira")


def test_folders_that_a_person_names_are_apart(home: Home, tmp_path: Path) -> None:
    for name, numbers in (("mira", MIRA), ("tomas", TOMAS)):
        write(tmp_path / f"my_spotify_data_{name}" / "MyData" / EXTENDED, [extended(n) for n in numbers])
    assert len(load(home, tmp_path)) == 2


def test_histories_of_several_names_in_one_folder(home: Home, tmp_path: Path) -> None:
    for number, name in enumerate(["mira", "tomas"]):
        write(tmp_path / f"endsong_{number}.json", [extended(n, username=name) for n in range(5)])
    assert load(home, tmp_path) == {"spotify:mira", "spotify:tomas"}


@pytest.mark.parametrize("seed", range(8))
def test_same_person_equals_a_comparison_of_sets(seed: int) -> None:
    rng = random.Random(seed)
    first_plays = {(rng.randrange(80), rng.randrange(3)) for _ in range(rng.randrange(1, 40))}
    second_plays = set(rng.sample(sorted(first_plays), rng.randrange(len(first_plays)))) if seed % 2 else set()
    second_plays |= {(rng.randrange(40, 160), rng.randrange(3)) for _ in range(rng.randrange(1, 9))}
    first, last = max(min(first_plays), min(second_plays))[0], min(max(first_plays), max(second_plays))[0]
    shared = [{play for play in plays if first <= play[0] <= last} for plays in (first_plays, second_plays)]
    same = len(shared[0] & shared[1])
    counts = sorted(map(len, shared))
    expected = None if not counts[0] else same >= 0.9 * counts[0] and same >= 0.3 * counts[1]
    frames = [
        pl.DataFrame(sorted(plays), schema=["minute", "ms_played"], orient="row")
        for plays in (first_plays, second_plays)
    ]
    assert same_person(*frames) is same_person(*frames[::-1]) is expected


def test_the_folders_of_spotify_are_no_places() -> None:
    assert place_of("mira/Spotify Account Data/Userdata.json") == "mira"
    assert place_of("mira/my_spotify_data.zip/Spotify Extended Streaming History/x.json") == "mira/my_spotify_data.zip"
    assert place_of("x.json") == ""
