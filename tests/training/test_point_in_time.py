"""The training SDK: forms of a spine, columns of a training set, and pulls that repeat bit for bit.

``tests/parity`` checks the values.
"""

import json
import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore

from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.stores import join, offline
from feature_repo.version import version
from training.datasets import all_keys, point_in_time, repeat, retrieval, training_set

MOMENT = datetime(2026, 1, 25, 15, 30, tzinfo=UTC)


def spine(**columns: object) -> pl.DataFrame:
    rows = {
        "user_id": ["u000003", "u000001", "u000003"],
        "event_timestamp": [MOMENT, MOMENT, MOMENT - timedelta(days=9)],
    }
    return pl.DataFrame({**rows, "label": [1, 0, 1], **columns})


def test_everything_of_the_spine_comes_back_in_its_order(in_world: Home) -> None:
    pulled = training_set("listener_v1", spine(), home=in_world)
    assert pulled.to_polars().select("user_id", "event_timestamp", "label").equals(spine())
    assert pulled.to_arrow().num_rows == 3
    assert pulled.data["user_history__distinct_tracks"][0] > pulled.data["user_history__distinct_tracks"][2]


@pytest.mark.parametrize(
    "form",
    [
        lambda rows: rows.to_pandas(),
        lambda rows: rows.to_arrow(),
        lambda rows: rows.lazy(),
        lambda rows: rows.with_columns(pl.col("event_timestamp").dt.replace_time_zone(None).dt.cast_time_unit("ns")),
        lambda rows: rows.with_columns(pl.col("event_timestamp").dt.cast_time_unit("ms")),
        lambda rows: rows.with_columns(pl.col("event_timestamp").dt.convert_time_zone("Asia/Tokyo")),
        lambda rows: rows.with_columns(pl.col("event_timestamp").dt.strftime("%Y-%m-%dT%H:%M:%S")),
    ],
    ids=["pandas", "arrow", "lazy", "naive ns", "ms", "Tokyo", "text"],
)
def test_a_spine_may_be_any_table_and_any_time(in_world: Home, form: object) -> None:
    expected = training_set("listener_v1", spine(), home=in_world).data
    assert training_set("listener_v1", form(spine()), home=in_world).data.equals(expected)  # type: ignore[operator]


def test_a_spine_may_be_a_file(in_world: Home, tmp_path: Path) -> None:
    expected = training_set("listener_v1", spine(), home=in_world).data
    spine().write_parquet(tmp_path / "spine.parquet")
    spine().write_csv(tmp_path / "spine.csv")
    assert training_set("listener_v1", tmp_path / "spine.parquet", home=in_world).data.equals(expected)
    assert training_set("listener_v1", str(tmp_path / "spine.csv"), home=in_world).data.equals(expected)


def test_an_empty_spine_gives_an_empty_set(in_world: Home) -> None:
    data = training_set(
        "recommendation_v1",
        pl.DataFrame(
            schema={
                "user_id": pl.String,
                "track_id": pl.String,
                "artist_id": pl.String,
                "platform_id": pl.String,
                "event_timestamp": pl.Datetime("us", "UTC"),
            }
        ),
        home=in_world,
    ).data
    assert data.is_empty()
    assert "taste_match__score" in data.columns


def test_chunks_change_nothing(in_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = training_set("listener_v1", spine(), home=in_world).data
    monkeypatch.setattr(join, "FEWEST_ROWS", 1)
    monkeypatch.setattr(join, "MOST_ROWS", 2)
    assert training_set("listener_v1", spine(), home=in_world).data.equals(expected)


def test_as_known_leaves_out_what_was_learned_later(in_world: Home) -> None:
    rows = pl.DataFrame({"user_id": [f"u{n:06}" for n in range(150)]}).with_columns(
        event_timestamp=pl.lit(datetime(2026, 1, 20, tzinfo=UTC))
    )
    by_event_time = training_set(
        "recommendation_v1",
        rows.with_columns(track_id=pl.lit("t"), artist_id=pl.lit("a"), platform_id=pl.lit("default")),
        home=in_world,
    )
    by_created_time = training_set("recommendation_v1", by_event_time.spine, home=in_world, as_known=True)
    column = "user_listening__plays_28d"
    assert not by_event_time.data[column].equals(by_created_time.data[column])
    assert (by_created_time.data[column].fill_null(0) <= by_event_time.data[column].fill_null(0) + 28).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (spine().drop("user_id"), r"a spine with the columns .*no \['user_id'\]"),
        (spine().drop("event_timestamp"), r"no \['event_timestamp'\]"),
        (spine().with_columns(event_timestamp=pl.lit("soon")), "ISO 8601.*found 'soon'"),
        (spine().with_columns(event_timestamp=pl.lit("03/04/2026")), "ISO 8601.*found '03/04/2026'"),
        (spine().with_columns(event_timestamp=pl.lit(5)), "a time in every row"),
        (spine().with_columns(event_timestamp=pl.lit(None, pl.Datetime("us", "UTC"))), "3 rows without one"),
        (spine().with_columns(user_taste__fit=1), "without the service's own features"),
    ],
)
def test_a_wrong_spine_is_told(in_world: Home, rows: pl.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        training_set("listener_v1", rows, home=in_world)


def test_an_unknown_service_and_an_unapplied_registry_are_told(in_world: Home, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="one of .*listener_v1"):
        training_set("nothing_v9", spine(), home=in_world)
    with pytest.raises(StoreError, match="next: refrain apply"):
        training_set("listener_v1", spine(), home=Home(tmp_path / "fresh"))
    with pytest.raises(InputError, match="no file"):
        training_set("listener_v1", tmp_path / "none.parquet", home=in_world)


def test_a_pull_can_be_repeated_and_saved_once(in_world: Home, tmp_path: Path) -> None:
    pulled = training_set("listener_v1", spine(), home=in_world)
    folder = pulled.save(in_world)
    assert pulled.save(in_world) == folder
    assert repeat(folder, home=in_world).data.equals(pulled.data)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["cutoff"] == MOMENT.isoformat()
    assert set(manifest["sources"]) == {"user_taste", "user_content", "user_session", "user_history", "user_profile"}


def test_the_manifest_names_the_version_and_the_digest_does_not_depend_on_it(
    in_world: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = training_set("listener_v1", spine(), home=in_world).manifest
    monkeypatch.setattr(point_in_time, "version", lambda: "99.1")
    after = training_set("listener_v1", spine(), home=in_world).manifest
    assert before["refrain"] == version()
    assert after == {**before, "refrain": "99.1"}


def test_a_repeat_on_other_data_is_refused(in_world: Home, tmp_path: Path) -> None:
    folder = training_set("listener_v1", spine(), home=in_world).save(in_world)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["sources"]["user_history"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match=r"other feature files now in \['user_history'\]"):
        repeat(copy, home=in_world)
    (copy / "spine.parquet").unlink()
    with pytest.raises(InputError, match=r"no spine\.parquet"):
        repeat(copy, home=in_world)


def test_zones_are_converted_not_dropped(in_world: Home) -> None:
    tokyo = timezone(timedelta(hours=9))
    rows = pl.DataFrame({"user_id": ["u000003"], "event_timestamp": [MOMENT.astimezone(tokyo)]})
    assert training_set("listener_v1", rows, home=in_world).data["event_timestamp"][0] == MOMENT


def test_batches_and_files_are_the_same_as_the_whole(in_world: Home, tmp_path: Path) -> None:
    rows = pl.concat([spine()] * 40)
    eager = training_set("listener_v1", rows, home=in_world)
    streamed = training_set("listener_v1", rows.lazy(), home=in_world)
    batches = list(streamed.batches(50))
    assert [batch.height for batch in batches] == [50, 50, 20]
    assert pl.concat(batches).equals(eager.to_polars())
    assert [batch.height for batch in eager.batches(100)] == [100, 20]
    assert pl.read_parquet(streamed.to_parquet(tmp_path / "set.parquet")).equals(eager.data)
    assert streamed.manifest == eager.manifest
    assert [path.name for path in tmp_path.iterdir()] == ["set.parquet"]


def test_nothing_is_pulled_before_it_is_asked_for(in_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    pulls: list[object] = []
    tables = join.Join.tables
    monkeypatch.setattr(
        join.Join, "tables", lambda *arguments, **keywords: (pulls.append(1), tables(*arguments, **keywords))[1]
    )
    pulled = training_set("listener_v1", spine(), home=in_world)
    assert pulls == []
    assert pulled.data.height == 3
    assert pulled.manifest["rows"] == 3
    assert pulled.to_arrow().num_rows == 3
    assert len(pulls) == 1


def test_a_spine_of_all_keys(in_world: Home) -> None:
    start, end = MOMENT - timedelta(days=3), MOMENT
    users = training_set("listener_v1", all_keys("listener_v1", None, end, home=in_world), home=in_world).data
    assert set(users["event_timestamp"]) == {MOMENT}
    assert users["user_id"].is_unique().all()
    assert users["user_history__distinct_tracks"].null_count() < users.height
    grid = all_keys("listener_v1", start, end, every=timedelta(days=1), home=in_world)
    days = training_set("listener_v1", grid, home=in_world).data
    assert sorted(set(days["event_timestamp"])) == [start + timedelta(days=n) for n in range(4)]
    assert days.filter(pl.col("event_timestamp") == MOMENT).equals(
        users.filter(pl.col("user_id").is_in(days["user_id"].to_list()))
    )


def test_another_offline_store_gives_the_same(in_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pulls chunk by chunk, as from any other store; here from Feast's DuckDB store."""
    expected = training_set("listener_v1", spine(), home=in_world).data
    monkeypatch.setattr(point_in_time, "embedded_store_job", lambda *arguments: None)
    monkeypatch.setattr(retrieval, "CHUNK_ROWS", 2)
    duckdb_retrieval = staticmethod(DuckDBOfflineStore.get_historical_features)
    monkeypatch.setattr(offline.AsOfOfflineStore, "get_historical_features", duckdb_retrieval)
    assert training_set("listener_v1", spine(), home=in_world).data.equals(expected)
    assert training_set("listener_v1", spine()[:0], home=in_world).data.equals(expected[:0])
