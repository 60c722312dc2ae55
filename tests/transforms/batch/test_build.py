"""The feature build: rebuilds only what changed, and gives the same tables despite interruptions."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo import clock, whole_files
from feature_repo.doctor import folder as folder_of_doctor
from feature_repo.errors import StoreError
from feature_repo.home import Home
from tests.music import FEATURE_TABLES
from transforms import feature_tables
from transforms.batch.build import build
from transforms.batch.windows import calendar, tile_store
from transforms.raw.ingest import Batch, ingest
from transforms.raw.simulate.run import simulate
from transforms.raw.simulate.world import Size

SIZE = Size(users=40, tracks=100, days=33, plays=2_500)
END = SIZE.start + timedelta(days=SIZE.days)
ONE_DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("simulated"))
    simulate(home, SIZE, seed=5)
    build(home, END)
    return home


@pytest.fixture
def built(simulated: Home, tmp_path: Path) -> Iterator[Home]:
    copy = Home(tmp_path / "built")
    shutil.copytree(simulated.root, copy.root)
    yield copy


def tables(home: Home) -> dict[str, bytes]:
    root = home.root / "features"
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.parquet"))}


def newest(home: Home, name: str) -> pl.DataFrame:
    """Returns the newest version of each row, without its created time."""
    rows = feature_tables.scan(home, name).collect().sort("created_timestamp")
    identity = [*FEATURE_TABLES[name].join_keys, "event_timestamp"]
    if not name.startswith(("user_profile", "track_catalogue")):
        rows = rows.unique(identity, keep="last").drop("created_timestamp")
    return rows.sort(identity)


def late_play(day: int) -> Batch:
    moment = SIZE.start + timedelta(days=day, hours=5)
    row = {
        "user_id": "u000001",
        "track_id": "t000001",
        "artist_id": "a00001",
        "event_timestamp": moment,
        "created_timestamp": moment + timedelta(days=6),
        "ms_played": 1,
        "skipped": False,
    }
    return Batch("plays", pl.DataFrame([row]))


def test_every_table_has_its_views_schema(built: Home) -> None:
    for name, view in FEATURE_TABLES.items():
        rows = feature_tables.scan(built, name).collect()
        assert dict(rows.schema) == feature_tables.schema(view)
        assert rows.select([*view.join_keys, "event_timestamp"]).is_unique().all()


def test_a_second_run_does_nothing(built: Home) -> None:
    tables_before = tables(built)
    assert not any(report.rebuilt for report in build(built, END).values())
    assert tables(built) == tables_before


def test_a_late_event_rebuilds_just_the_days_that_see_it(built: Home, tmp_path: Path) -> None:
    ingest(built, "late", [late_play(2)])
    reports = build(built, END)
    day = (SIZE.start + timedelta(days=2)).date()
    rebuilt = reports["user_listening"].rebuilt
    assert (min(rebuilt), max(rebuilt)) == (day + ONE_DAY, day + timedelta(days=29))
    assert len(rebuilt) == 29 < reports["user_listening"].days
    assert not reports["user_profile"].rebuilt
    fresh = Home(tmp_path / "fresh")
    shutil.copytree(built.raw("plays").parent.parent, fresh.root / "raw")
    build(fresh, END)
    for name in FEATURE_TABLES:
        assert_frame_equal(newest(built, name), newest(fresh, name))


def test_a_correction_leaves_what_was_known_before(built: Home) -> None:
    name, identity = "user_listening", ["user_id", "event_timestamp"]
    rows_before = feature_tables.scan(built, name).collect()
    late_batch = late_play(2)
    ingest(built, "late", [late_batch])
    build(built, END)
    rows_after = feature_tables.scan(built, name).collect()
    assert rows_before.join(rows_after, on=rows_before.columns, how="anti", nulls_equal=True).is_empty()
    added = rows_after.join(rows_before, on=rows_after.columns, how="anti", nulls_equal=True)
    assert set(added["user_id"]) == {"u000001"}
    assert (added["created_timestamp"] >= late_batch.rows["created_timestamp"].item()).all()
    versions = rows_after.join(added.select(identity), on=identity).sort(*identity, "created_timestamp")
    newest_versions = versions.group_by(identity, maintain_order=True).agg(pl.col("plays_28d").last(), n=pl.len())
    assert newest_versions.filter(pl.col("n") > 1).height > 5
    assert (newest_versions.filter(pl.col("n") > 1)["n"] == 2).all()


def test_a_new_day_leaves_the_old_files_alone(built: Home) -> None:
    ingest(built, "next", [late_play(SIZE.days)])
    reports = build(built, END + ONE_DAY)
    assert reports["track_popularity"].rebuilt == [(END + ONE_DAY).date()]


def test_a_day_that_is_gone_is_closed(built: Home, tmp_path: Path) -> None:
    """Its old rows remain for as-of reads of the past, and current reads no longer return them."""
    rows_before = feature_tables.scan(built, "user_listening").collect()
    for day in sorted(built.raw("plays").glob("date=*"))[-3:]:
        shutil.rmtree(day)
    build(built, END)
    fresh = Home(tmp_path / "fresh")
    shutil.copytree(built.root / "raw", fresh.root / "raw")
    build(fresh, END)
    for name in FEATURE_TABLES:
        assert_same_as_of_answers(built, fresh, name)
    rows_after = feature_tables.scan(built, "user_listening").collect()
    assert rows_before.join(rows_after, on=rows_before.columns, how="anti", nulls_equal=True).is_empty()
    assert not any(report.rebuilt for report in build(built, END).values())


def assert_same_as_of_answers(home: Home, other: Home, name: str) -> None:
    """Asserts that both tables give the same as-of answer for each key and time, even if their rows differ."""
    keys = list(FEATURE_TABLES[name].join_keys)
    rows = [newest(data, name).drop("created_timestamp", strict=False) for data in (home, other)]
    rows = [table_rows.unique([*keys, "event_timestamp"], keep="last").sort("event_timestamp") for table_rows in rows]
    moments = (
        pl.concat([table_rows.select(*keys, "event_timestamp") for table_rows in rows]).unique().sort("event_timestamp")
    )
    options = {"on": "event_timestamp", "by": keys, "check_sortedness": False}
    answers = [moments.join_asof(table_rows, **options).sort(*keys, "event_timestamp") for table_rows in rows]
    assert_frame_equal(*answers)


def test_plays_that_move_to_another_key_are_closed(tmp_path: Path) -> None:
    """A key that loses all its events reads as null; a key that loses its newest reads as its remaining events."""
    home = Home(tmp_path / "home")

    def ingest_play(artist: str, day: int, created: int, number: int = 0) -> None:
        time = SIZE.start + timedelta(days=day, hours=5)
        row = {
            "user_id": "ann",
            "track_id": f"song{number}",
            "artist_id": artist,
            "event_timestamp": time,
            "created_timestamp": SIZE.start + timedelta(days=created, hours=6),
            "ms_played": 200_000,
            "skipped": False,
        }
        ingest(home, "x", [Batch("plays", pl.DataFrame([row]))])

    def plays_as_of(artist: str, day: int, known_at: datetime | None = None) -> list[int | None]:
        rows = feature_tables.scan(home, "user_artist_affinity").filter(pl.col("artist_id") == artist).collect()
        rows = rows.filter(pl.col("event_timestamp") <= SIZE.start + timedelta(days=day))
        if known_at:
            rows = rows.filter(pl.col("created_timestamp") <= known_at)
        return rows.sort("event_timestamp", "created_timestamp").tail(1)["plays_28d"].to_list()

    ingest_play("wrong band", 2, 2)
    ingest_play("old band", 1, 1, number=1)
    ingest_play("old band", 3, 3, number=2)
    now = SIZE.start + timedelta(days=5)
    build(home, now)
    assert (plays_as_of("wrong band", 4), plays_as_of("old band", 4), plays_as_of("right band", 4)) == ([1], [2], [])
    ingest_play("right band", 2, 6)
    ingest_play("right band", 3, 6, number=2)
    later = SIZE.start + timedelta(days=7)
    build(home, later)
    assert (plays_as_of("wrong band", 4), plays_as_of("old band", 4), plays_as_of("right band", 4)) == (
        [None],
        [1],
        [2],
    )
    assert (plays_as_of("wrong band", 4, now), plays_as_of("old band", 4, now)) == ([1], [2])
    ingest_play("old band", 0, 8, number=3)  # the row that the closing version repeats now has another value
    build(home, SIZE.start + timedelta(days=9))
    assert (plays_as_of("wrong band", 4), plays_as_of("old band", 4)) == ([None], [2])
    ingest_play("wrong band", 2, 10)  # the play moves back
    build(home, SIZE.start + timedelta(days=11))
    assert plays_as_of("wrong band", 4) == [1]


def test_a_play_that_a_second_service_reports_is_counted_once(tmp_path: Path) -> None:
    """The precise report takes the place of the coarse one: of the same day, and of the day before, which is gone."""
    home, fresh = Home(tmp_path / "home"), Home(tmp_path / "fresh")

    def reported(form: str, precision_s: int | None, *moments: timedelta) -> Batch:
        common = {"user_id": "ann", "artist_id": "band", "recording": "band/song"}
        common |= {"track_id": form, "reported_by": form, "precision_s": precision_s}
        times = [{"event_timestamp": SIZE.start + moment} for moment in moments]
        return Batch("plays", pl.DataFrame([common | row for row in times], schema_overrides={"precision_s": pl.Int64}))

    coarse = reported("minutes", 60, 2 * ONE_DAY - timedelta(minutes=1), timedelta(days=3, hours=5))
    precise = reported("seconds", None, 2 * ONE_DAY + timedelta(seconds=3), timedelta(days=3, hours=5, seconds=40))
    ingest(home, "minutes", [coarse])
    now = SIZE.start + 5 * ONE_DAY
    build(home, now)
    ingest(home, "seconds", [precise])
    build(home, now + ONE_DAY)
    ingest(fresh, "seconds", [precise])
    build(fresh, now + ONE_DAY)
    for name in ("user_artist_affinity", "user_listening", "track_popularity"):
        assert_same_as_of_answers(home, fresh, name)
    rows = feature_tables.scan(home, "user_artist_affinity").filter(pl.col("event_timestamp") < now).collect()
    newest_row = rows.sort("event_timestamp", "created_timestamp").tail(1)
    assert newest_row["plays_28d"].to_list() == [2]


def test_rows_are_due_by_the_clock(tmp_path: Path) -> None:
    """Due by the clock, not by the last event: windows empty without new plays, and no row comes before its time."""
    home = Home(tmp_path / "home")
    ingest(home, "x", [late_play(0)])
    play = SIZE.start + timedelta(hours=5)
    build(home, play + timedelta(hours=3))
    rows = feature_tables.scan(home, "user_listening").collect()
    assert rows.is_empty(), "the first midnight is not over"
    build(home, SIZE.start + timedelta(days=40))
    rows = feature_tables.scan(home, "user_listening").sort("event_timestamp").collect()
    assert rows["event_timestamp"].to_list() == [SIZE.start + timedelta(days=n) for n in (1, 2, 8, 29)]
    assert rows["plays_28d"].to_list() == [1, 1, 1, 0]
    session_rows = feature_tables.scan(home, "user_session").collect()
    assert session_rows["event_timestamp"].max() < SIZE.start + timedelta(days=40)


@pytest.mark.parametrize("killed_after", [0, 1, 40, 170])
def test_a_killed_run_repeated_ends_the_same(
    simulated: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(simulated.root / "raw", home.root / "raw")
    write, calls = whole_files.write_whole, []

    def write_or_interrupt(path: Path, content: bytes) -> None:
        calls.append(1)
        if len(calls) > killed_after:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f".partial-9-{path.name}").write_bytes(b"half")
            raise KeyboardInterrupt
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(whole_files, "write_whole", write_or_interrupt)
        with pytest.raises(KeyboardInterrupt):
            build(home, END)
    build(home, END)
    assert tables(home) == tables(simulated)
    assert not list(home.root.rglob(".partial-*"))


def test_backups_beside_the_days_change_nothing(built: Home) -> None:
    tables_before, rows = tables(built), feature_tables.scan(built, "user_listening").collect()
    for folder in (built.raw("plays"), built.features("user_listening"), built.tiles("user_listening")):
        day = sorted(folder.glob("date=*"))[-1]
        for name in (f"{day.name}.bak", "date=__HIVE_DEFAULT_PARTITION__", "backup"):
            shutil.copytree(day, folder / name)
        (folder / "date=2026-05-01").touch()
    assert not any(report.rebuilt for report in build(built, END).values())
    assert feature_tables.scan(built, "user_listening").collect().equals(rows)
    assert clock.end_of_data(built) == END
    ingest(built, "late", [late_play(2)])
    assert build(built, END)["user_listening"].rebuilt
    assert tables_before.keys() < tables(built).keys()
    findings = [finding for finding in folder_of_doctor._stray_findings(built) if finding.where == "raw plays"]
    assert len(findings) == 4
    assert not any(finding.is_fault for finding in findings)


@pytest.mark.parametrize("table", ["plays", "users"])
def test_a_damaged_raw_file_is_named(built: Home, table: str) -> None:
    path = sorted(built.raw(table).rglob("part-0.parquet"))[-1]
    spoil(path)
    with pytest.raises(StoreError, match=f"{path.name}.*next: rm .*{path.parent.name}.*refrain import"):
        build(built, END)


def test_damaged_tiles_are_named(built: Home) -> None:
    tile = sorted(built.tiles("user_listening").rglob("sums.parquet"))[-1]
    spoil(tile)
    shutil.rmtree(built.features("user_listening"))
    with pytest.raises(StoreError, match=f"next: rm -r .*{tile.parent.name} && refrain build"):
        build(built, END)
    shutil.rmtree(tile.parent)
    build(built, END)


def spoil(path: Path) -> None:
    """Overwrites bytes in the middle of a file; the footer stays valid."""
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 3] = b"\xff" * (len(content) // 3 - 4)
    path.write_bytes(content)


def test_torn_feature_files_are_made_again(built: Home) -> None:
    tables_before = tables(built)
    for path in sorted(built.features("user_listening").rglob("*.parquet"))[:2]:
        path.write_bytes(path.read_bytes()[:64])
    assert len(build(built, END)["user_listening"].rebuilt) == 2
    assert tables(built) == tables_before


def test_small_chunks_give_the_same_tables(simulated: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(simulated.root / "raw", home.root / "raw")
    monkeypatch.setattr(calendar, "CHUNK_EVENTS", 500)
    monkeypatch.setattr(calendar, "CHUNK_DAYS", 4)
    build(home, END)
    for name in FEATURE_TABLES:
        assert_frame_equal(feature_tables.scan(home, name).collect(), feature_tables.scan(simulated, name).collect())


def test_changed_code_rebuilds_its_tables(built: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    tables_before = tables(built)
    monkeypatch.setattr(tile_store, "_code", lambda: "other code")
    reports = build(built, END)
    assert reports["user_listening"].rebuilt
    assert not reports["user_profile"].rebuilt
    rows = [feature_tables.scan(built, "user_listening").collect().height, tables_before.keys() == tables(built).keys()]
    assert rows == [reports["user_listening"].rows, True]


def test_without_plays_the_next_command_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="refrain simulate"):
        build(Home(tmp_path / "empty"))


def test_plays_of_unknown_users_and_tracks_count(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    ingest(home, "x", [late_play(0)])
    build(home, END)
    rows = feature_tables.scan(home, "track_popularity").collect()
    assert rows.filter(pl.col("plays_1d") == 1).height == 1
    assert feature_tables.scan(home, "track_catalogue").collect().is_empty()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda rows: rows.drop("plan"), r"no column \['plan'\]"),
        (lambda rows: rows.with_columns(birth_year=pl.lit("old")), "conversion"),
        (lambda rows: rows.with_columns(user_id=pl.lit(None)), "a null in"),
        (lambda rows: pl.concat([rows, rows]), "two rows with the same"),
    ],
)
def test_rows_that_break_the_views_schema_are_refused(spoil: object, message: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    rows = pl.DataFrame(
        {
            "user_id": ["u"],
            "event_timestamp": [now],
            "created_timestamp": [now],
            "country": ["US"],
            "birth_year": [2000],
            "gender": ["x"],
            "plan": ["free"],
        }
    )
    view = FEATURE_TABLES["user_profile"]
    assert feature_tables.conform(view, rows).height == 1
    with pytest.raises(StoreError, match=message):
        feature_tables.conform(view, spoil(rows))  # type: ignore[operator]
