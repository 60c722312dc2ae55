"""Folders of sound files: identity by path, copies, files that are cut short, labels, tags, and formats of PyAV."""

import os
import struct
import sys
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from feature_repo.extras import MissingExtra
from feature_repo.home import Home
from tests.music import FORMATS
from transforms.raw.importers import audio as importer
from transforms.raw.importers.audio_files import track_ids
from transforms.raw.ingest import Batch, ingest
from transforms.raw.read import scan
from transforms.raw.report import Report

RATE = 8_000


def _write(path: Path, seed: int, seconds: float = 2.0, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.3 * np.random.default_rng(seed).normal(size=int(seconds * RATE))
    soundfile.write(path, samples, RATE, **options)  # type: ignore[arg-type]
    return path


def _import(home: Home, path: Path) -> Report:
    return ingest(home, "audio", FORMATS["audio"].batches(path, home))


def _tracks(home: Home, table: str = "audio_measurements") -> list[str]:
    return sorted(scan(home, table).collect()["track_id"])


def test_files_of_one_name_in_two_folders_are_two_tracks(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "masters"
    _write(folder / "A" / "01.wav", 1)
    _write(folder / "single.v2.flac", 3)
    _import(home, folder)
    assert _tracks(home) == ["A/01", "single.v2"]
    _write(folder / "B" / "01.wav", 2)
    _import(home, folder)
    assert _tracks(home) == ["A/01", "B/01", "single.v2"]
    rows = scan(home, "audio_measurements").collect()
    assert rows["content"].n_unique() == rows["loudness"].n_unique() == 3
    assert _import(home, folder).tables["audio_measurements"].added == 0


def test_a_track_id_has_composed_letters(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "Céline")
    _write(tmp_path / name / "é.wav", 1)
    assert list(track_ids(tmp_path).values()) == [f"Céline/{unicodedata.normalize('NFC', 'é')}"]


def test_a_content_under_two_paths_is_analysed_once(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "masters"
    first = _write(folder / "A" / "01.wav", 1)
    for copy in ("B/01.wav", "C/other.wav"):
        (folder / copy).parent.mkdir()
        (folder / copy).write_bytes(first.read_bytes())
    _write(folder / "D" / "01.wav", 2)  # of the same size
    analysed = []
    analyse = importer._row
    monkeypatch.setattr(importer, "_row", lambda file: analysed.append(file.track) or analyse(file))
    monkeypatch.setattr(importer, "FILES", 1)
    _import(home, folder)
    assert analysed == ["A/01", "D/01"]
    assert _tracks(home) == _tracks(home, "audio_analyses") == ["A/01", "B/01", "C/other", "D/01"]
    rows = scan(home, "audio_measurements").sort("track_id").collect()
    assert rows["loudness"].to_list()[:3] == [rows["loudness"][0]] * 3
    assert rows["loudness"][3] != rows["loudness"][0]


def test_two_encodings_of_one_track_are_one(home: Home, tmp_path: Path) -> None:
    _write(tmp_path / "masters" / "01.mp3", 1)
    _write(tmp_path / "masters" / "01.flac", 2)
    report = _import(home, tmp_path / "masters")
    assert report.tables["audio_measurements"].added == 1
    assert ("01.mp3", "the track of 01.flac") in [(item.name, item.why) for item in report.passed_over]


def test_a_file_that_lacks_more_than_a_little_is_refused(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "masters"
    shares = {"whole": 1.0, "nearly": 0.995, "less": 0.8, "little": 0.2}
    for seed, (name, share) in enumerate(shares.items()):
        path = _write(folder / f"{name}.wav", seed)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    path = _write(folder / "page.ogg", 9)
    path.write_bytes(path.read_bytes()[:-2_000])
    report = _import(home, folder).tables["audio_measurements"]
    assert _tracks(home) == ["nearly", "whole"]
    shares_missing = dict(scan(home, "audio_measurements").select("track_id", "missing_share").collect().iter_rows())
    assert shares_missing == {"nearly": pytest.approx(0.005, abs=1e-3), "whole": 0.0}
    assert sorted(report.reasons) == [
        "cut short: 20 % is missing, and 1.6 seconds are there",
        "cut short: 80.1 % is missing, and 0.4 seconds are there",
        "cut short: its last page is missing, and an unknown part of the sound",
    ]


def test_labels_name_a_track_by_its_path_or_by_a_name_that_one_file_has(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "masters"
    for number, name in enumerate(("A/01", "B/01", "B/02")):
        _write(folder / f"{name}.wav", number)
    (folder / "labels.csv").write_text("\ufefftrack_id,genre\nA/01,jazz\n02,rock\n01,pop\nelsewhere,folk\n", "utf-8")
    report = _import(home, folder).tables["audio_labels"]
    labels = dict(scan(home, "audio_labels").select("track_id", "genre").collect().iter_rows())
    assert labels == {"A/01": "jazz", "B/02": "rock", "elsewhere": "folk"}
    assert list(report.reasons) == ["no label: 01 is the name of A/01 and of B/01"]


def _vorbis_comments(flac: bytes, tags: dict[str, str]) -> bytes:
    """A FLAC with tags, behind STREAMINFO."""
    comments = b"".join(struct.pack("<I", len(text)) + text for text in (f"{k}={v}".encode() for k, v in tags.items()))
    block = struct.pack("<I", 0) + struct.pack("<I", len(tags)) + comments
    return flac[:42] + b"\x04" + struct.pack(">I", len(block))[1:] + block + flac[42:]


def _id3(frames: dict[str, bytes]) -> bytes:
    body = b"".join(name.encode() + struct.pack(">IH", len(value), 0) + value for name, value in frames.items())
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + body


def test_tags_are_rows_of_the_catalogue(home: Home, tmp_path: Path) -> None:
    pytest.importorskip("tinytag", reason="tags are read by tinytag, of the extra audio")
    folder = tmp_path / "masters"
    mbid = "b1a9c0e9-d987-4042-ae91-78d6a3267d69"
    flac, mp3 = _write(folder / "a.flac", 1), _write(folder / "b.mp3", 2)
    tags = {"TITLE": "Halo", "ARTIST": "Beyoncé", "ALBUM": "I Am", "DATE": "2008-11", "ISRC": "us-sm1-08-04556"}
    flac.write_bytes(_vorbis_comments(flac.read_bytes(), tags | {"GENRE": "pop", "MUSICBRAINZ_TRACKID": mbid}))
    frames = {"TIT2": b"\0Halo (Live)", "TPE1": b"\0Beyonce", "TSRC": b"\0none"}
    mp3.write_bytes(_id3(frames | {"UFID": b"http://musicbrainz.org\0" + mbid.encode()}) + mp3.read_bytes())
    _write(folder / "untagged.wav", 3)
    day = datetime(2020, 1, 1, tzinfo=UTC)
    for file in folder.iterdir():
        os.utime(file, (day.timestamp(), day.timestamp()))
    stored = pl.DataFrame(
        {"track_id": ["b"], "genres": [["soul"]], "title": ["?"], "event_timestamp": [day.replace(2019)]}
    )
    ingest(home, "catalogue", [Batch("tracks", stored)])
    _import(home, folder)
    rows = scan(home, "tracks").filter(pl.col("event_timestamp") == day).sort("track_id").collect().to_dicts()
    assert [row["track_id"] for row in rows] == ["a", "b"]
    a, b = rows
    assert (a["title"], a["artist_name"], a["album"], a["genres"]) == ("Halo", "Beyoncé", "I Am", ["pop"])
    assert (a["isrc"], a["mbid"], a["duration_ms"]) == ("USSM10804556", mbid, 2_000)
    assert a["released"] == datetime(2008, 11, 1, tzinfo=UTC)
    assert (b["title"], b["isrc"], b["mbid"], b["genres"]) == ("Halo (Live)", None, mbid, ["soul"])
    assert a["artist_id"] == b["artist_id"] == "artist:beyonce"
    assert scan(home, "artists").select("artist_id", "name").collect().rows() == [("artist:beyonce", "Beyonce")]
    assert {_import(home, folder).tables[name].added for name in ("tracks", "artists")} == {0}


def test_without_the_library_of_tags_the_import_says_so(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "find_spec", lambda name: None)
    _write(tmp_path / "masters" / "a.wav", 1)
    (tmp_path / "masters" / "b.m4a").write_bytes(bytes(8))
    report = _import(home, tmp_path / "masters")
    assert _tracks(home) == ["a"]
    assert [(item.name, item.why) for item in report.passed_over] == [
        ("b.m4a", ".m4a is decoded by PyAV: python -m pip install 'refrain[ffmpeg]'"),
        ("tags", "title, artist, ISRC … are not read: python -m pip install 'refrain[audio]'"),
    ]
    with pytest.raises(MissingExtra, match="ffmpeg"):
        _import(home, tmp_path / "masters" / "b.m4a")


def test_a_content_that_needs_an_absent_library_names_it(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.mp3").write_bytes(bytes.fromhex("0000001c") + b"ftypM4A " + bytes(100))
    assert list(_import(home, tmp_path / "a.mp3").tables["audio_measurements"].reasons) == [
        "no sound without av: python -m pip install 'refrain[transforms,ffmpeg]'"
    ]


@pytest.mark.parametrize(
    ("suffix", "codec", "container"),
    [("m4a", "aac", "ipod"), ("aac", "aac", "adts"), ("wma", "wmav2", "asf"), ("mka", "aac", "matroska")],
)
def test_formats_of_pyav(suffix: str, codec: str, container: str, home: Home, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="m4a, aac, wma and mka are decoded by PyAV, of the extra ffmpeg")
    from transforms.pure.audio.decode import opened

    rate, path = 44_100, tmp_path / f"source.{suffix}"
    samples = (0.3 * np.sin(2 * np.pi * 440 * np.arange(4 * rate) / rate)).astype(np.float32)
    options = {"movflags": "faststart"} if container == "ipod" else {}
    with av.open(str(path), "w", format=container, options=options) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 96_000
        for start in range(0, len(samples) - 1_023, 1_024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1_024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    content = path.read_bytes()
    with opened(content) as sound:
        decoded = np.concatenate(list(sound.blocks()))[:, 0]
        assert (sound.rate, sound.channels, sound.cut) == (rate, 1, "")
    assert len(decoded) / rate == pytest.approx(4, abs=0.1)
    spectrum = np.abs(np.fft.rfft(decoded[:rate] * np.hanning(rate)))
    assert int(spectrum.argmax()) == 440
    folder = tmp_path / "masters"
    folder.mkdir()
    (folder / f"whole.{suffix}").write_bytes(content)
    (folder / f"cut.{suffix}").write_bytes(content[: int(0.7 * len(content))])
    report = _import(home, folder).tables["audio_measurements"]
    assert _tracks(home) == (["cut", "whole"] if suffix == "aac" else ["whole"])  # aac states no length
    assert report.quarantined == (0 if suffix == "aac" else 1)
