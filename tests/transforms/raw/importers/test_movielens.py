"""MovieLens of every size: ratings, films, tags and links, dated by their first rating."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.transforms.raw.importers.service_examples import expected_of, load, plays, stored_bytes, stored_text, write
from transforms.raw.importers.movielens_releases import OPENED
from transforms.raw.read import scan

FILMS = (
    'movieId,title,genres\r\n1,"Lighthouse, The (1994)",Drama|Comedy\r\n'
    "2,Untitled,(no genres listed)\r\n3,X (2001),War\r\n"
)
RATINGS = "userId,movieId,rating,timestamp\r\n7,1,2.0,1000000900\r\n7,2,2.5,1000000500\r\n8,1,5.0,1000000100\r\n"
TABLES = ("artists", "tracks", "users", "plays", "track_tags", "track_links")


def release(folder: Path, ratings: str = RATINGS) -> Path:
    write(folder / "movies.csv", FILMS)
    write(folder / "ratings.csv", ratings)
    write(folder / "tags.csv", 'userId,movieId,tag,timestamp\r\n9,3,"slow, ""wet""",1000000000\r\n7,1,,1000000000\r\n')
    write(folder / "links.csv", "movieId,imdbId,tmdbId\r\n1,0114709,862\r\n2,0113497,\r\n")
    return folder


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_the_examples_are_read_as_expected(exports: Path, tmp_path: Path) -> None:
    for number, (path, expected) in enumerate(expected_of(exports, "movielens")):
        home = Home(tmp_path / str(number))
        report = load(home, "movielens", path)
        added = {name: counts.added for name, counts in report.tables.items()}
        assert (added["plays"], added["users"], added["tracks"]) == (
            expected["ratings"],
            expected["users"],
            expected["movies"],
        )
        assert added.get("track_tags", 0) == expected.get("tags", 0)
        bounds = [datetime.fromisoformat(expected[name]) for name in ("first", "last")]
        assert [plays(home)["event_timestamp"].min(), plays(home)["event_timestamp"].max()] == bounds
        assert not any(counts.reasons for counts in report.tables.values())
        assert sum(counts.added for counts in load(home, "movielens", path).tables.values()) == 0


def test_a_release_is_read(home: Home, tmp_path: Path) -> None:
    report = load(home, "movielens", release(tmp_path / "ml-25m"))
    rated = plays(home).sort("event_timestamp").select("user_id", "track_id", "skipped", "event_timestamp").rows()
    assert rated == [
        ("ml-25m:8", "ml-25m:1", False, at(1000000100)),
        ("ml-25m:7", "ml-25m:2", False, at(1000000500)),
        ("ml-25m:7", "ml-25m:1", True, at(1000000900)),
    ]
    tracks = scan(home, "tracks").collect().sort("track_id")
    assert tracks["title"].to_list() == ["Lighthouse, The (1994)", "Untitled", "X (2001)"]
    assert tracks["genres"].to_list() == [["Drama", "Comedy"], [], ["War"]]
    assert tracks["released"].dt.year().to_list() == [1994, None, 2001]
    assert tracks["artist_id"].to_list() == ["ml-25m:Drama+Comedy", "ml-25m:unknown", "ml-25m:War"]
    assert tracks["event_timestamp"].to_list() == [OPENED] * 3
    links = scan(home, "track_links").collect().sort("site", "track_id").select("track_id", "site", "id").rows()
    assert links == [
        ("ml-25m:1", "imdb", "0114709"),
        ("ml-25m:2", "imdb", "0113497"),
        ("ml-25m:1", "tmdb", "862"),
    ]
    assert scan(home, "track_tags").collect()["tag"].to_list() == ['slow, "wet"']
    assert report.tables["track_tags"].reasons == {"no tag": 1}


def test_rows_that_are_no_ratings_are_refused(home: Home, tmp_path: Path) -> None:
    bad = "7,1,6,1000000900\r\n7,1,x,1000000900\r\n,1,3,1000000900\r\n7,,3,1000000900\r\n7,1,3,soon\r\n7,1,3\r\n"
    report = load(home, "movielens", release(tmp_path / "ml-20m", RATINGS + bad))
    assert report.tables["plays"].added == 3
    assert report.tables["plays"].reasons == {
        "no rating between 0.5 and 5": 2,
        "no listener": 1,
        "no film": 1,
        "no time": 1,
        "3 cells instead of 4": 1,
    }


def test_the_old_form_is_latin_1_without_a_header(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "ml-1m"
    write(folder / "movies.dat", "1::Café Nord (2001)::Drama\n".encode("latin-1"))
    write(folder / "ratings.dat", "1::1::5::1000000100\n")
    write(folder / "users.dat", "1::F::25::4::01067\n2::M::25::4\n")
    report = load(home, "movielens", folder)
    assert scan(home, "tracks").collect()["title"].to_list() == ["Café Nord (2001)"]
    assert scan(home, "users").collect().select("user_id", "gender", "birth_year").rows() == [("ml-1m:1", "F", None)]
    assert report.tables["users"].quarantined == 1
    assert "01067" not in stored_text(home)


def test_the_zip_as_downloaded_is_the_folder(tmp_path: Path) -> None:
    folder = release(tmp_path / "ml-latest-small")
    with zipfile.ZipFile(tmp_path / "ml-latest-small.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"ml-latest-small/{path.name}")
    homes = Home(tmp_path / "one"), Home(tmp_path / "two")
    load(homes[0], "movielens", folder)
    load(homes[1], "movielens", tmp_path / "ml-latest-small.zip")
    assert stored_bytes(homes[0], *TABLES) == stored_bytes(homes[1], *TABLES)


def test_a_prefix_then_the_whole_ends_as_the_whole(tmp_path: Path) -> None:
    once, twice = Home(tmp_path / "once"), Home(tmp_path / "twice")
    load(twice, "movielens", release(tmp_path / "a" / "ml-25m", RATINGS[: RATINGS.index("8,1")]))
    for home in (once, twice):
        load(home, "movielens", release(tmp_path / "b" / "ml-25m"))
    for table in ("plays", "track_tags"):
        assert stored_bytes(once, table) == stored_bytes(twice, table)
    key = ["track_id", "event_timestamp"]
    first = [
        scan(home, "tracks").collect().sort(key).unique("track_id", keep="first").sort("track_id")
        for home in (once, twice)
    ]
    assert first[0].equals(first[1])


def test_releases_do_not_share_listeners(home: Home, tmp_path: Path) -> None:
    release(tmp_path / "ml-20m"), release(tmp_path / "ml-25m")
    load(home, "movielens", tmp_path)
    assert plays(home)["user_id"].str.split(":").list.first().value_counts().sort("user_id")["count"].to_list() == [
        3,
        3,
    ]


def test_a_folder_without_ratings_is_named(home: Home, tmp_path: Path) -> None:
    write(tmp_path / "x" / "movies.csv", FILMS)
    with pytest.raises(InputError, match=r"no file u\.data, ratings\.dat or ratings\.csv"):
        load(home, "movielens", tmp_path / "x")


def test_dates_of_listeners_match_a_naive_reading(home: Home, tmp_path: Path) -> None:
    rows = [(user, film, 1_000_000_000 + 7_919 * user * film % 100_000) for user in range(1, 30) for film in (1, 2)]
    text = "userId,movieId,rating,timestamp\n" + "".join(f"{u},{f},3.5,{t}\n" for u, f, t in rows)
    load(home, "movielens", release(tmp_path / "ml-25m", text))
    dates = dict(
        scan(home, "users")
        .filter(pl.col("user_id") != "ml-25m:9")
        .select("user_id", "event_timestamp")
        .collect()
        .rows()
    )
    assert dates["ml-25m:5"] == at(min(t for u, _, t in rows if u == 5))
    assert dates["ml-25m:17"] == at(min(t for u, _, t in rows if u == 17))
