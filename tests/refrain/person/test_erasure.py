"""After an erasure a data folder is, byte for byte, that of a world in which the person never was."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo import clock, retractions
from feature_repo.contract import contract_of
from feature_repo.errors import InputError, StoreError
from feature_repo.events import Names
from feature_repo.forgotten import FORGOTTEN, Forgotten
from feature_repo.home import Home
from feature_repo.materialize import materialize
from feature_repo.packed.address import Address
from feature_repo.packed.server import WRITE_TIMEOUT, open_server
from feature_repo.restricted import Restricted
from feature_repo.stores import redis_server
from inference.events import EventWriter
from refrain.person.erasure import run as erasure_run
from refrain.person.erasure.journal import Journal, certificates, unfinished
from refrain.person.erasure.rows import erase_rows
from refrain.person.erasure.run import erase
from refrain.person.scan import scan
from tests.live import online
from tests.worlds import apply_once
from transforms.batch.build import build
from transforms.batch.gone_rows import GoneRows
from transforms.raw.ingest import Batch, ingest
from transforms.stream.log import Log

ID = "mira-lind"
ZERO = datetime(2026, 4, 1, tzinfo=UTC)
END = ZERO + timedelta(days=4)
LISTENERS = [ID, *(f"listener-{number}" for number in range(6))]


def rows(seed: int = 5) -> dict[str, pl.DataFrame]:
    """What happened in four days: plays, tags, texts, friendships, feedback and profiles of seven listeners."""
    rng = np.random.default_rng(seed)
    who = [LISTENERS[number] for number in rng.integers(0, len(LISTENERS), 400)]
    times = pl.Series(ZERO.timestamp() * 1e6 + np.sort(rng.integers(0, 4 * 86_400_000_000, 400))).cast(pl.Int64)
    moments = times.cast(pl.Datetime("us", "UTC"))
    plays = pl.DataFrame(
        {
            "user_id": who,
            "track_id": [f"song-{number}" for number in rng.integers(0, 12, 400)],
            "artist_id": [f"band-{number}" for number in rng.integers(0, 4, 400)],
            "ms_played": rng.integers(1_000, 300_000, 400),
            "skipped": rng.random(400) < 0.2,
            "event_timestamp": moments,
        }
    )
    sample = plays[::20]
    return {
        "plays": plays,
        "users": pl.DataFrame({"user_id": LISTENERS, "country": ["SE"] * len(LISTENERS), "event_timestamp": ZERO}),
        "tags": sample.select("user_id", "artist_id", "event_timestamp", tag=pl.lit("quiet")),
        "texts": sample.select(
            "event_timestamp",
            text_id=pl.format("text {}", pl.int_range(pl.len())),
            entity=pl.lit("track"),
            entity_id="track_id",
            kind=pl.lit("review"),
            text=pl.format("a fine song, number {}", pl.int_range(pl.len())),
            language=pl.lit("en"),
            author_id="user_id",
        ),
        "friendships": pl.DataFrame(
            {"user_id": LISTENERS, "friend_id": [*LISTENERS[1:], LISTENERS[0]], "event_timestamp": ZERO}
        ),
        "feedback": sample.select("user_id", "track_id", "event_timestamp", action=pl.lit("thumb_up")),
    }


def store(home: Home, tables: dict[str, pl.DataFrame], source: str = "test") -> None:
    ingest(home, source, [Batch(name, frame) for name, frame in tables.items()])


def without(tables: dict[str, pl.DataFrame], id_: str) -> dict[str, pl.DataFrame]:
    held = ("user_id", "author_id", "friend_id")
    return {
        name: frame.filter(~pl.any_horizontal(pl.col(column) == id_ for column in held if column in frame.columns))
        for name, frame in tables.items()
    }


def digests(home: Home) -> dict[str, str]:
    """File → digest of its bytes, of raw tables, tiles and feature tables."""
    files = [path for room in ("raw", "tiles", "features") for path in (home.root / room).rglob("*.parquet")]
    return {str(path.relative_to(home.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Home]]:
    """Two built worlds at their end: with the person, and one in which the person never was."""
    folder = tmp_path_factory.mktemp("erasure")
    world, other = Home(folder / "with"), Home(folder / "never")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(clock.NOW, END.isoformat())
        store(world, rows())
        store(other, without(rows(), ID))
        for home in (world, other):
            build(home, END)
        yield world, other


@pytest.fixture
def world(built: tuple[Home, Home], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path / "home")
    shutil.copytree(built[0].root, home.root)
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    monkeypatch.setenv(clock.NOW, END.isoformat())
    return home


def plant(home: Home) -> None:
    """Logs, a training set and a report that mention the person, beside such that do not."""
    for folder in (home.lookups("service") / "date=2026-04-02", home.audit_log / "date=2026-04-02"):
        folder.mkdir(parents=True)
        lines = [json.dumps({"user_id": id_, "answer": 1}) for id_ in (ID, "listener-1", f"{ID}-the-second")]
        (folder / "lines.jsonl").write_text("\n".join(lines) + "\n")
    frame = pl.DataFrame({"user_id": [ID, "listener-1"], "seen": [[ID], ["listener-1"]]})
    (home.impressions / "date=2026-04-02").mkdir(parents=True)
    frame.write_parquet(home.impressions / "date=2026-04-02" / "part-0.parquet")
    for name, id_ in (("mentions", ID), ("does-not", "listener-1")):
        (home.training_sets / name).mkdir(parents=True)
        frame.filter(pl.col("user_id") == id_).write_parquet(home.training_sets / name / "data.parquet")


def test_keys_that_lost_events_are_erased_and_those_of_others_stay(world: Home, built: tuple[Home, Home]) -> None:
    keys = {name: each.keys for name, each in contract_of(world).windowed.items() if "user_id" in each.keys}
    for name, columns in keys.items():
        rows = pl.DataFrame({column: [ID, "listener-1"] if column == "user_id" else ["a", "b"] for column in columns})
        for noted in (rows, rows[:1]):
            retractions.note(world, name, noted, 1)
    erase(world, "user_id", [ID])
    left = {name: retractions.keys(retractions.list_files(world, name))["user_id"].to_list() for name in keys}
    assert left == {name: ["listener-1"] for name in keys}
    own = {path: digest for path, digest in digests(world).items() if "/retracted/" not in path}
    assert own == digests(built[1])


def gone_ids(home: Home) -> dict[tuple[str, ...], list[str]]:
    """Table of listeners, and file → ids of the rows that are gone."""
    return {
        (name, *file): rows["user_id"].to_list()
        for name, table in contract_of(home).windowed.items()
        for file, rows in GoneRows.of_table(home, name).read().items()
        if "user_id" in table.keys
    }


def test_rows_that_were_gone_before_are_erased_and_those_of_others_stay(world: Home) -> None:
    plays = sorted(world.raw("plays").rglob("part-0.parquet"))
    lost = pl.col("user_id").is_in([ID, "listener-1"]) & (pl.col("event_timestamp").dt.hour() > 12)
    assert erase_rows(plays[1:3], lambda _: lost)
    build(world, END)
    before = gone_ids(world)
    assert any(ID in ids and "listener-1" in ids for ids in before.values())
    erase(world, "user_id", [ID])
    others = {place: [id_ for id_ in ids if id_ != ID] for place, ids in before.items()}
    assert {place: ids for place, ids in others.items() if ids} == gone_ids(world)


def test_all_is_as_if_the_person_had_never_been(world: Home, built: tuple[Home, Home]) -> None:
    plant(world)
    assert digests(world) != digests(built[1]) and scan(world, "user_id", ID).certain
    result = erase(world, "user_id", [ID])
    assert digests(world) == digests(built[1])
    assert not result.scans[ID].certain and not scan(world, "user_id", ID).certain
    assert [path.name for path in world.training_sets.iterdir()] == ["does-not"]
    for folder in (world.lookups("service"), world.audit_log):
        (file,) = folder.rglob("*.jsonl")
        assert [json.loads(line)["user_id"] for line in file.read_text().splitlines()] == [
            "listener-1",
            f"{ID}-the-second",
        ]
    (certificate,) = certificates(world)
    assert certificate.is_genuine(world) and ID not in json.dumps(certificate.counts)
    assert certificate.counts["training_sets"] == 1 and certificate.counts["audit_log"] == 1
    assert not unfinished(world)
    build(world, END)
    assert digests(world) == digests(built[1])


def test_tables_of_the_person_are_not_computed_again(world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = {}

    def noted(*arguments: object, **options: object) -> object:
        reports.update(build(*arguments, **options))  # type: ignore[arg-type]
        return reports

    monkeypatch.setattr(erasure_run, "build", noted)
    erase(world, "user_id", [ID])
    assert reports["track_popularity"].rebuilt and not reports["user_listening"].rebuilt
    assert not reports["user_artist_affinity"].rebuilt and not reports["user_session"].rebuilt


def test_files_that_were_not_current_are_built(world: Home, built: tuple[Home, Home], tmp_path: Path) -> None:
    late = rows()["plays"].filter(pl.col("user_id") != ID).tail(40).with_columns(track_id=pl.lit("song-new"))
    late = late.with_columns(pl.col("event_timestamp") - timedelta(seconds=7))
    never = Home(tmp_path / "never")
    shutil.copytree(built[1].root, never.root)
    for home in (world, never):
        store(home, {"plays": late}, "late")
    erase(world, "user_id", [ID])
    build(never, END)
    for name in ("user_listening", "user_session", "user_artist_affinity"):
        frames = [
            pl.read_parquet(f"{home.features(name)}/*/*.parquet", hive_partitioning=False).sort(pl.all())
            for home in (world, never)
        ]
        assert_frame_equal(*frames)


def test_a_row_that_names_the_person_beside_its_key_is_noted(tmp_path: Path) -> None:
    home, journal = Home(tmp_path), Journal("user_id", [ID], "")
    journal.note_rows(home, "plays", pl.DataFrame({"user_id": [ID, ID]}))
    assert (journal.tables, journal.others) == (["plays"], [])
    journal.note_rows(home, "plays", pl.DataFrame({"user_id": [ID, "listener-1"], "friend_id": [None, ID]}))
    journal.note_rows(home, "texts", pl.DataFrame({"author_id": [ID]}))
    assert (journal.tables, journal.others) == (["plays", "texts"], ["plays", "texts"])


def test_several_people_at_once(world: Home, tmp_path: Path) -> None:
    others = [ID, "listener-2", "listener-4"]
    never, tables = Home(tmp_path / "never"), rows()
    for id_ in others:
        tables = without(tables, id_)
    store(never, tables)
    build(never, END)
    result = erase(world, "user_id", others)
    assert digests(world) == digests(never)
    assert len(result.certificate.people) == len(result.scans) == 3


@pytest.mark.parametrize("step", ["erase_rows", "_erase_raw", "_erase_features", "erase_derived", "build", "_search"])
def test_an_erasure_that_is_killed_is_finished_by_the_next(
    step: str, world: Home, built: tuple[Home, Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(erasure_run, step)

    def killed(*arguments: object, **options: object) -> object:
        result = real(*arguments, **options)
        if result != 0:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patch:
        patch.setattr(erasure_run, step, killed)
        with pytest.raises(KeyboardInterrupt):
            erase(world, "user_id", [ID])
    assert unfinished(world) and not certificates(world)
    erase(world, "user_id", [ID])
    assert digests(world) == digests(built[1])
    assert not unfinished(world) and len(certificates(world)) == 1


def test_the_forgotten_are_not_taken_again(world: Home, built: tuple[Home, Home]) -> None:
    erase(world, "user_id", [ID])
    late = pl.DataFrame(
        {"user_id": [ID, "listener-9"], "track_id": "song-1", "artist_id": "band-1", "event_timestamp": END}
    )
    report = ingest(world, "later", [Batch("plays", late)])
    assert report.tables["plays"].added == 1
    assert report.tables["plays"].left_out == {"of people who are forgotten": 1}
    store(world, {name: frame for name, frame in rows().items() if name != "users"}, "the same again")
    assert not scan(world, "user_id", ID).certain
    people = Forgotten.of(world)
    assert people.among("user_id", [ID, "listener-1"]) == {ID} and people.among("track_id", [ID]) == set()
    assert ID not in world.forgotten.read_text() and world.forgotten.stat().st_mode & 0o077 == 0


def test_corrections_of_others_stay(built: tuple[Home, Home], world: Home) -> None:
    moved = rows()["plays"].filter(pl.col("user_id") == "listener-1").head(3)
    late = moved.with_columns(ms_played=pl.lit(7), created_timestamp=pl.lit(END + timedelta(hours=1)))
    store(world, {"plays": late}, "corrections")
    build(world, END + timedelta(hours=2))
    tables = ("user_listening", "user_artist_affinity")
    before = {name: _rows_of(world, name, "listener-1") for name in tables}
    assert max(frame["created_timestamp"].max() for frame in before.values()) > END
    erase(world, "user_id", [ID])
    for name, frame in before.items():
        assert _rows_of(world, name, "listener-1").equals(frame), name


def _rows_of(home: Home, view: str, id_: str) -> pl.DataFrame:
    frames = [pl.read_parquet(path, hive_partitioning=False) for path in sorted(home.features(view).rglob("*.parquet"))]
    found = pl.concat(frames, how="diagonal").filter(pl.col("user_id") == id_)
    return found.sort(["event_timestamp", "created_timestamp", *sorted(set(found.columns) & {"artist_id"})])


def test_what_is_online_goes_too(world: Home, built: tuple[Home, Home], monkeypatch: pytest.MonkeyPatch) -> None:
    apply_once(world)
    try:
        materialize(world, None, say=lambda _: None)
        before = {name: online(world, name) for name in ("user_listening", "track_popularity")}
        assert (ID,) in before["user_listening"]
        body = {"kind": "plays", "events": [_play(ID), _play("listener-1")]}
        assert EventWriter(world).write(json.dumps(body).encode()).accepted == 2
        reader = Log(open_server(world, Address.from_env(), WRITE_TIMEOUT), Names(world.project))
        reader.acquire_lease(lambda _: None)
        with pytest.raises(StoreError, match="then: the same command again"):
            erase(world, "user_id", [ID])
        reader.release_lease()
        result = erase(world, "user_id", [ID])
        assert result.certificate.counts["online"] > 3
        after = {name: online(world, name) for name in before}
        assert after["user_listening"] == {key: row for key, row in before["user_listening"].items() if key != (ID,)}
        assert after["track_popularity"] != before["track_popularity"]
        assert not scan(world, "user_id", ID).traces
        monkeypatch.setenv("REFRAIN_HOME", str(built[1].root))
        apply_once(built[1])
        materialize(built[1], None, say=lambda _: None)
        assert after["track_popularity"] == online(built[1], "track_popularity")
        outcome = EventWriter(world).write(json.dumps(body).encode())
        assert outcome.accepted == 1 and outcome.refused == [(0, FORGOTTEN)]
    finally:
        for home in (world, built[1]):
            redis_server.stop(home)


def _play(id_: str) -> dict[str, object]:
    return {"user_id": id_, "track_id": "song-1", "artist_id": "band-1", "event_timestamp": END.isoformat()}


def test_a_key_that_nothing_has_is_named(world: Home) -> None:
    with pytest.raises(InputError, match="customer_id"):
        erase(world, "customer_id", [ID])
    with pytest.raises(InputError):
        erase(world, "user_id", [ID, ""])


@pytest.mark.parametrize("id_", ["nobody-at-all", "plays", "song-1", ID[:5], f"{ID}.2"])
def test_an_id_that_nobody_has_is_an_error_and_changes_nothing(id_: str, world: Home) -> None:
    before = digests(world)
    with pytest.raises(InputError, match="that something is known of"):
        erase(world, "user_id", [ID, id_])
    assert digests(world) == before and not unfinished(world) and not world.forgotten.exists()


@pytest.mark.parametrize("place", ["a saved set", "a restriction", "a restriction that was killed"])
def test_a_person_whose_rows_are_all_gone_is_erased_from_what_is_left(place: str, world: Home) -> None:
    if place == "a saved set":
        (world.training_sets / "old").mkdir(parents=True)
        pl.DataFrame({"user_id": ["gone-for-years"]}).write_parquet(world.training_sets / "old" / "data.parquet")
    elif place == "a restriction":
        Restricted().with_person("user_id", "gone-for-years").save(world)
    else:
        path = Restricted().with_person("user_id", ID).save(world)
        path.rename(path.with_name(f".partial-1-2-{path.name}"))
    id_ = ID if place.endswith("killed") else "gone-for-years"
    assert scan(world, "user_id", id_).certain
    erase(world, "user_id", [id_])
    assert not scan(world, "user_id", id_).certain
    assert Forgotten.of(world).among("user_id", [id_])


def test_the_only_person_leaves_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home")
    monkeypatch.setenv(clock.NOW, END.isoformat())
    store(home, {"plays": rows()["plays"].filter(pl.col("user_id") == ID)})
    build(home, END)
    erase(home, "user_id", [ID])
    assert not [path for path in home.root.rglob("*.parquet") if pl.read_parquet(path, hive_partitioning=False).height]
    store(home, {"plays": rows()["plays"].filter(pl.col("user_id") != ID)})
    build(home, END)


def test_ids_beside_longer_ones_and_in_lists(world: Home) -> None:
    others = [f"{ID}.2", f"{ID}@example.org", f"{ID}é", f"{ID}-b", "17", "170"]
    plays = pl.DataFrame(
        {"user_id": [*others, ID], "track_id": "song-1", "artist_id": "band-1", "event_timestamp": END, "ms_played": 5}
    )
    store(world, {"plays": plays}, "more")
    build(world, END)
    folder = world.audit_log / "date=2026-04-04"
    folder.mkdir(parents=True)
    lines = [json.dumps({"keys": {"user_id": ["listener-1", id_]}}) for id_ in (ID, "17", "170", f"{ID}.2")]
    (folder / "a.jsonl").write_text("\n".join(lines))
    refused = {"user_id": "listener-1", "friend_id": ["17"], "event_timestamp": datetime(1960, 1, 1, tzinfo=UTC)}
    store(world, {"friendships": pl.DataFrame(refused)}, "before 1970")
    erase(world, "user_id", [ID, "17"])
    assert not scan(world, "user_id", "17").certain
    assert [json.loads(line)["keys"]["user_id"][1] for line in (folder / "a.jsonl").read_text().splitlines()] == [
        "170",
        f"{ID}.2",
    ]
    kept = pl.concat(pl.read_parquet(path) for path in world.raw("plays").rglob("part-0.parquet"))["user_id"].unique()
    assert {*others} - {"17"} <= set(kept) and not {ID, "17"} & set(kept)
    assert not list((world.root / "quarantine" / "friendships").rglob("*.parquet"))


def test_a_track_with_the_id_of_a_person_stays(world: Home) -> None:
    about = {"text_id": ["x1", "x2"], "entity": ["track", "user"], "entity_id": [ID, ID], "kind": "review"}
    texts = pl.DataFrame(about | {"text": "a fine text", "language": "en", "event_timestamp": END})
    store(world, {"texts": texts.with_columns(author_id=pl.lit("listener-1"))}, "texts")
    erase(world, "user_id", [ID])
    left = pl.concat(pl.read_parquet(path) for path in world.raw("texts").rglob("part-0.parquet"))
    assert left.filter(pl.col("entity_id") == ID)["text_id"].to_list() == ["x1"]
    assert not scan(world, "user_id", ID).certain and scan(world, "user_id", ID).traces


def test_certificates_are_never_written_over(world: Home) -> None:
    for number in (1, 2, 3):
        if number == 3:
            (world.erasures / "000001.json").unlink()
        erase(world, "user_id", [f"listener-{number}"])
    assert [path.name for path in sorted(world.erasures.glob("0*.json"))] == ["000002.json", "000003.json"]
    world.forgotten.unlink()
    with pytest.raises(StoreError, match="certificates"):
        Forgotten.of(world)


def test_a_trace_in_a_file_of_no_format_is_named(world: Home) -> None:
    (world.root / "notes.bin").write_bytes(b"\x01 about " + ID.encode())
    with pytest.raises(StoreError, match="notes.bin"):
        erase(world, "user_id", [ID])
    (world.root / "notes.bin").unlink()
    assert not erase(world, "user_id", [ID]).scans[ID].certain
