"""TIDAL's streams: names, times, other products, and nothing that is private."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.transforms.raw.importers.service_examples import (
    ARTISTS,
    TITLES,
    check_example,
    expected_of,
    load,
    moment,
    plays,
    stored_text,
    table,
    write,
)


def stream(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "artist_name": ARTISTS[number % 6],
        "track_title": TITLES[number % 6],
        "entry_date": f"{moment(number):%Y-%m-%d %H:%M:%S}",
        "product_type": "TRACK",
        "stream_duration_ms": 90_000 + number,
        "client_name_from_session": "Android",
        "country_name": "Sweden",
        "region_name": "Skåne",
        "city_name": "Lund",
        **changes,
    }


def test_the_example_is_read_as_expected(exports: Path, home: Home) -> None:
    [(path, expected)] = expected_of(exports, "tidal")
    check_example(home, "tidal", path, expected)


def test_a_stream_is_a_play(home: Home, tmp_path: Path) -> None:
    load(home, "tidal", write(tmp_path / "streaming.csv", table([stream(0)])), user="mira")
    row = plays(home).row(0, named=True)
    assert (row["user_id"], row["event_timestamp"], row["ms_played"]) == ("mira", moment(0), 90_000)
    assert row["created_timestamp"] == moment(0) + timedelta(seconds=90)
    assert (row["track_id"], row["device"]) == ("tidal:name:Velm Orrin/Glass Harbour", "phone")
    assert (row["recording"], row["reported_by"]) == ("velmorrin/glassharbour", "tidal")


def test_columns_are_found_by_name(home: Home, tmp_path: Path) -> None:
    rows = [dict(reversed(stream(n).items())) for n in range(3)]
    path = write(tmp_path / "streaming.csv", table(rows, ";").replace("entry_date", "Entry Date").encode("utf-16"))
    load(home, "tidal", path)
    assert plays(home)["event_timestamp"].to_list() == [moment(n) for n in range(3)]


def test_damaged_rows_are_refused_and_the_rest_is_stored(home: Home, tmp_path: Path) -> None:
    bad = [
        stream(1, entry_date=""),
        stream(2, entry_date="soon"),
        stream(3, track_title=""),
        stream(4, stream_duration_ms=-5),
        stream(5, stream_duration_ms=10**20),
        stream(6, entry_date="2135-01-01 00:00:00"),
        stream(7, product_type="PODCAST"),
    ]
    text = table([stream(0), *bad, stream(8)]) + "Velm Orrin,too few,Lund\n"
    report = load(home, "tidal", write(tmp_path / "streaming.csv", text)).tables["plays"]
    assert report.added == 2
    assert report.left_out == {"of the product podcast, no music": 1}
    assert report.reasons == {
        "no time": 1,
        "no such time, or one in the future": 2,
        "names nothing played": 1,
        "negative length": 1,
        "impossible length": 1,
        "3 cells instead of 9": 1,
    }
    assert not [place for place in ("Lund", "Skåne", "Sweden") if place in stored_text(home)]


def test_another_file_is_named(home: Home, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a table of 'name', 'email'"):
        load(home, "tidal", write(tmp_path / "user.csv", "name,email\nMira,mira@example.org\n"))


def test_podcasts_alone_are_no_plays_of_music(home: Home, tmp_path: Path) -> None:
    path = write(tmp_path / "streaming.csv", table([stream(0, product_type="PODCAST")]))
    with pytest.raises(InputError, match="no play of music .*: 1 of the product podcast"):
        load(home, "tidal", path)
