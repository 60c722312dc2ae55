"""Refrain's offline store beyond what Feast's stores can do: any spine, no spine, batches, and errors."""

import inspect
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore
from feast.infra.offline_stores.offline_store import OfflineStore

from feature_repo.errors import InputError, StoreError
from feature_repo.stores import history_reader, parquet_files
from feature_repo.stores.join import Limits
from feature_repo.stores.offline import AsOfOfflineStore, AsOfOfflineStoreConfig, histories_of
from tests.feature_repo.offline.engines import AS_OF_STORE, Engine, features, plain
from tests.feature_repo.offline.questions import MANY, Question, Table, at
from tests.oracles.point_in_time import as_of


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_files, "ROWS_AT_ONCE", 50)
    monkeypatch.setattr(parquet_files, "GROUP_ROWS", 60)


@pytest.mark.parametrize("public", [name for name in dir(OfflineStore) if not name.startswith("_")])
def test_signatures_are_those_of_the_base(public: str) -> None:
    """A Feast release that changes a signature fails here, not in a user's project."""
    own, base = getattr(AsOfOfflineStore, public), getattr(DuckDBOfflineStore, public)
    if not callable(base):
        assert own == base
        return
    own_parameters, base_parameters = (list(inspect.signature(method).parameters.values()) for method in (own, base))
    extra_kinds = [parameter.kind for parameter in own_parameters[len(base_parameters) :]]
    assert [(p.name, p.kind, p.default) for p in own_parameters[: len(base_parameters)]] == [
        (p.name, p.kind, p.default) for p in base_parameters
    ]
    assert extra_kinds in ([], [inspect.Parameter.VAR_KEYWORD])


@pytest.mark.parametrize("form", ["pandas", "arrow", "polars", "lazy", "path", "folder", "sql"])
def test_any_spine_keeps_its_order_and_columns(engine: Engine, tmp_path: Path, form: str) -> None:
    table = MANY.arrow()
    (tmp_path / "folder").mkdir()
    pq.write_table(table, tmp_path / "folder" / "spine.parquet")
    spine: Any = {
        "pandas": table.to_pandas(),
        "arrow": table,
        "polars": pl.DataFrame(table),
        "lazy": pl.LazyFrame(table),
        "path": tmp_path / "folder" / "spine.parquet",
        "folder": tmp_path / "folder",
        "sql": f"SELECT * FROM '{tmp_path}/folder/spine.parquet' ORDER BY row",
    }[form]
    result = engine.job(MANY, tmp_path / "tables", spine).to_arrow()
    assert result.column_names == [*table.column_names, "v__plays"]
    assert result["row"].to_pylist() == list(range(300))
    assert features(result, MANY) == MANY.expected_features()


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("rows", [1, 7, 300, 1000])
def test_pieces_change_nothing(engine: Engine, tmp_path: Path, rows: int) -> None:
    """The result does not depend on the sizes of spine chunks, history batches and file groups."""
    batches = list(engine.job(MANY, tmp_path).batches(rows))
    assert [len(batch) for batch in batches[:-1]] == [rows] * (len(batches) - 1)
    assert features(pa.concat_tables(batches), MANY) == MANY.expected_features()


def test_a_file_of_a_spine_is_read_in_pieces(engine: Engine, tmp_path: Path) -> None:
    pq.write_table(MANY.arrow(), tmp_path / "spine.parquet", row_group_size=33)
    progress: list[float] = []
    job = engine.job(MANY, tmp_path / "tables", tmp_path / "spine.parquet")
    target = job.to_parquet(tmp_path / "answer.parquet", 40, lambda done, total, note: progress.append(done / total))
    assert features(pq.read_table(target), MANY) == MANY.expected_features()
    assert pq.read_metadata(target).num_row_groups == 8
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_nothing_is_left_of_a_file_that_was_not_finished(engine: Engine, tmp_path: Path) -> None:
    def stop(done: float, total: float, note: str) -> None:
        raise KeyboardInterrupt

    job = engine.job(MANY, tmp_path / "tables")
    with pytest.raises(KeyboardInterrupt):
        job.to_parquet(tmp_path / "answer.parquet", 100, stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tables"]


def test_the_memory_limit_sets_the_size_of_a_chunk(engine: Engine, tmp_path: Path) -> None:
    config = AsOfOfflineStoreConfig(type=AS_OF_STORE, memory_limit="64MB", threads=1, temp_directory=str(tmp_path))
    assert config.limits() == Limits(64_000_000, 1, str(tmp_path))
    small, large = (engine.job(MANY, tmp_path / str(limit))._join for limit in (1, 2))
    object.__setattr__(small, "limits", Limits(200_000_000))
    object.__setattr__(large, "limits", Limits(2_000_000_000))
    assert 10_000 < small.rows_at_once() < large.rows_at_once() / 5


def test_times_below_a_microsecond_are_rounded_down(engine: Engine, tmp_path: Path) -> None:
    for zone in (None, "UTC"):
        nanoseconds = pa.timestamp("ns", zone)
        start = pa.scalar(at(0)).cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).as_py()
        times = pa.array([start + 1500, start + 1700], pa.int64()).cast(nanoseconds)
        table = Table("v", [], has_created=False, time=nanoseconds)
        folder = tmp_path / str(zone)
        question = Question([{"user_id": "ann", "event_timestamp": at(0)}], [table])
        spine = pa.table(
            {
                "user_id": ["ann"] * 4,
                "event_timestamp": pa.array([start + n for n in (0, 999, 1000, 1500)], pa.int64()).cast(nanoseconds),
            }
        )
        job_folder = folder / "tables"
        views = engine.views(question, job_folder)
        rows = pa.table({"user_id": ["ann", "ann"], "event_timestamp": times, "plays": pa.array([1, 2])})
        pq.write_table(rows, job_folder / "v.parquet")
        answer = AsOfOfflineStore.get_historical_features(
            engine.config, views, ["v:plays"], spine, engine.registry, "oracle"
        ).to_arrow()
        assert answer["plays"].to_pylist() == [None, None, 2, 2]
        assert answer["event_timestamp"].type == nanoseconds


def test_columns_that_came_later_are_null_before(engine: Engine, tmp_path: Path) -> None:
    table = Table("v", [], layout="folder", has_created=False, features={"plays": pa.int64(), "skips": pa.int32()})
    question = Question([{"user_id": "ann", "event_timestamp": at(hours)} for hours in (0, 2)], [table])
    views = engine.views(question, tmp_path)
    for part in (tmp_path / "v").iterdir():
        part.unlink()
    old = {"user_id": ["ann"], "event_timestamp": pa.array([at(0)]), "plays": pa.array([1], pa.int32())}
    new = {
        "user_id": ["ann"],
        "event_timestamp": pa.array([at(1)]),
        "plays": pa.array([2]),
        "skips": pa.array([3], pa.int32()),
    }
    pq.write_table(pa.table(old), tmp_path / "v" / "part-0.parquet")
    pq.write_table(pa.table(new), tmp_path / "v" / "part-1.parquet")
    references = ["v:plays", "v:skips"]
    job = AsOfOfflineStore.get_historical_features(
        engine.config, views, references, question.arrow(), engine.registry, "x"
    )
    assert plain(job.to_arrow().select(["plays", "skips"])) == [{"plays": 1, "skips": None}, {"plays": 2, "skips": 3}]


def test_a_key_may_stand_in_the_paths(engine: Engine, tmp_path: Path) -> None:
    types = {"country": pa.string(), "user_id": pa.string()}
    table = Table("v", [], keys=types, has_created=False, layout="folder")
    question = Question(
        [{"country": c, "user_id": "ann", "event_timestamp": at(1)} for c in ("se", "de")], [table], types
    )
    views = engine.views(question, tmp_path)
    shutil.rmtree(tmp_path / "v")
    for country, plays in (("se", 1), ("de", 2)):
        part = tmp_path / "v" / f"country={country}"
        part.mkdir(parents=True)
        rows = {"user_id": ["ann"], "event_timestamp": pa.array([at(0)]), "plays": pa.array([plays])}
        pq.write_table(pa.table(rows), part / "part-0.parquet")
    job = AsOfOfflineStore.get_historical_features(
        engine.config, views, ["v:plays"], question.arrow(), engine.registry, "x"
    )
    assert job.to_arrow()["plays"].to_pylist() == [1, 2]


def test_keys_of_other_widths_meet_and_none_is_rounded(engine: Engine, tmp_path: Path) -> None:
    limit = 2**53
    rows = [
        {"number": n, "event_timestamp": at(0), "created_timestamp": at(0), "plays": place}
        for place, n in enumerate((1, limit, limit + 1))
    ]
    table = Table("v", rows, keys={"number": pa.int64()})
    for dtype, keys, expected in (
        (pa.int32(), [1, 2], [0, None]),
        (pa.float64(), [1.0, None, float(limit - 1)], [0, None, None]),
        (pa.uint64(), [1, 2**63 - 1, limit + 1], [0, None, 2]),
        (pa.null(), [None], [None]),
    ):
        spine = [{"number": n, "event_timestamp": at(1)} for n in keys]
        question = Question(spine, [table], {"number": dtype})
        result = engine.job(question, tmp_path / str(dtype), question.arrow()).to_arrow()
        assert result["v__plays"].to_pylist() == expected, dtype
    for dtype, invalid_key in (
        (pa.float64(), 1.5),
        (pa.float64(), float(limit)),
        (pa.uint64(), 2**64 - 1),
        (pa.bool_(), True),
    ):
        question = Question([{"number": invalid_key, "event_timestamp": at(1)}], [table], {"number": dtype})
        with pytest.raises(InputError, match="join key 'number'"):
            engine.job(question, tmp_path / f"{invalid_key}", question.arrow()).to_arrow()


def test_dictionary_encoded_keys_and_features(engine: Engine, tmp_path: Path) -> None:
    views = engine.views(
        question := Question([{"user_id": "ann", "event_timestamp": at(1)}], [Table("v", [])]), tmp_path
    )
    texts = pa.array(["ann", "bob"]).dictionary_encode()
    pq.write_table(
        pa.table({"user_id": texts, "event_timestamp": [at(0)] * 2, "created_timestamp": [at(0)] * 2, "plays": texts}),
        tmp_path / "v.parquet",
    )
    spine = pa.table({"user_id": texts, "event_timestamp": [at(1)] * 2})
    job = AsOfOfflineStore.get_historical_features(
        engine.config, views, question.references(), spine, engine.registry, "x"
    )
    assert job.to_arrow()["plays"].to_pylist() == ["ann", "bob"]


# Mistakes of a user: each raises one error, which names the view and what was found.


def job_for(engine: Engine, folder: Path, question: Question = MANY, spine: Any = None) -> Any:
    return engine.job(question, folder, spine)


def test_a_missing_file_is_told(engine: Engine, tmp_path: Path) -> None:
    views = engine.views(MANY, tmp_path)
    shutil.rmtree(tmp_path / "v")
    with pytest.raises(StoreError, match="behind the view v.*found nothing at .*next: write them.*refrain apply"):
        AsOfOfflineStore.get_historical_features(engine.config, views, ["v:plays"], MANY.arrow(), engine.registry, "x")
    (tmp_path / "v").mkdir()
    with pytest.raises(StoreError, match="an empty folder"):
        AsOfOfflineStore.get_historical_features(engine.config, views, ["v:plays"], MANY.arrow(), engine.registry, "x")
    (tmp_path / "v" / "part-0.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(StoreError, match="Parquet files behind the view v.*part-0.parquet"):
        AsOfOfflineStore.get_historical_features(engine.config, views, ["v:plays"], MANY.arrow(), engine.registry, "x")


def test_a_missing_column_of_a_view_is_told(engine: Engine, tmp_path: Path) -> None:
    views = engine.views(MANY, tmp_path)
    with pytest.raises(StoreError, match=r"\['skips'\] behind the view v; found .*'plays', 'user_id'"):
        AsOfOfflineStore.get_historical_features(engine.config, views, ["v:skips"], MANY.arrow(), engine.registry, "x")


def test_a_time_that_is_none_is_told(engine: Engine, tmp_path: Path) -> None:
    views = engine.views(question := Question([{"user_id": "a", "event_timestamp": at(0)}], [Table("v", [])]), tmp_path)
    rows = {"user_id": ["a"], "event_timestamp": [5], "created_timestamp": [at(0)], "plays": [1]}
    pq.write_table(pa.table(rows), tmp_path / "v.parquet")
    with pytest.raises(StoreError, match="a time in the column 'event_timestamp' behind the view v; found Int64"):
        AsOfOfflineStore.get_historical_features(
            engine.config, views, question.references(), question.arrow(), engine.registry, "x"
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns(["user_id"]), "join key 'user_id' of the view v; found .*'event_timestamp', 'row'"),
        (lambda t: t.drop_columns(["event_timestamp"]), "the column 'event_timestamp'; found 0 columns of times"),
        (
            lambda t: t.set_column(0, "user_id", pa.array([True] * len(t))),
            "texts.* in the join key 'user_id' of type String; found a column of the type bool",
        ),
        (
            lambda t: t.set_column(1, "event_timestamp", pa.array(range(len(t)))),
            "times .*'event_timestamp'; found .*int64",
        ),
        (lambda t: t.set_column(1, "event_timestamp", pa.array(["soon"] * len(t))), "'event_timestamp'; found .*soon"),
        (
            lambda t: t.set_column(1, "event_timestamp", pa.array([10**18] * len(t)).cast(pa.timestamp("us"))),
            "between the years 1 and 9999",
        ),
        (lambda t: t.append_column("v__plays", pa.array([1] * len(t))), "named like a feature of the view v"),
    ],
)
def test_a_wrong_spine_is_told(
    engine: Engine, tmp_path: Path, change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        engine.job(MANY, tmp_path, change(MANY.arrow())).to_arrow()


@pytest.mark.parametrize(
    ("spine", "message"),
    [
        (5, "found a int"),
        ("SELECT nonsense FROM nowhere", "found Catalog Error.*nowhere"),
        (Path("/nowhere/spine.parquet"), "a spine in Parquet at /nowhere"),
    ],
)
def test_what_is_no_spine_is_told(engine: Engine, tmp_path: Path, spine: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        engine.job(MANY, tmp_path, spine)


# No spine: all keys, or a grid of keys and times.


def test_all_keys_as_of_the_end_of_a_range(engine: Engine, tmp_path: Path) -> None:
    views = engine.views(MANY, tmp_path)
    rows = MANY.tables[0].rows
    for start, end in ((at(9), at(10)), (None, at(30.5))):
        job = AsOfOfflineStore.get_historical_features(
            engine.config, views, ["v:plays"], None, engine.registry, "x", start_date=start, end_date=end
        )
        users = sorted({r["user_id"] for r in rows if (start or at(-1)) <= r["event_timestamp"] <= end})
        result = job.to_arrow()
        assert result["user_id"].to_pylist() == users
        assert set(result["event_timestamp"].to_pylist()) == {end}
        assert result["plays"].to_pylist() == [as_of(rows, {"user_id": user}, end)["plays"] for user in users]  # type: ignore[index]


def test_a_grid_starts_with_each_key(engine: Engine, tmp_path: Path) -> None:
    from feature_repo.stores.keys import all_keys

    rows = [
        {"user_id": user, "event_timestamp": at(hours), "created_timestamp": at(hours), "plays": 1}
        for user, hours in (("ann", -5), ("bob", 3), ("ann", 4), ("zoe", 99))
    ]
    tables = [
        Table("v", rows),
        Table("w", [{**rows[1], "track_id": "t"}], {"user_id": pa.string(), "track_id": pa.string()}),
        Table("all", rows, {}),
    ]
    question = Question([], tables)
    histories = histories_of(engine.config, engine.views(question, tmp_path), question.references(), True)
    spine = all_keys(histories, at(0), at(6), every=timedelta(hours=2), limits=Limits())
    grid = [tuple(row.values()) for row in spine.table.to_table().to_pylist()]
    ann = [("ann", None, at(hours)) for hours in (0, 2, 4, 6)]
    bob = [("bob", track, at(hours)) for track in ("t", None) for hours in (4, 6)]
    assert grid == ann + bob
    with pytest.raises(InputError, match="a start before its end"):
        all_keys(histories, at(6), at(0), limits=Limits())
    with pytest.raises(InputError, match="a step above zero"):
        all_keys(histories, at(0), at(6), every=timedelta(0), limits=Limits())


def test_duckdb_within_limits_spills_where_it_is_told(tmp_path: Path) -> None:
    with Limits(200_000_000, 1, str(tmp_path)).connection() as duck:
        assert isinstance(duck, duckdb.DuckDBPyConnection)
        settings = duck.execute("SELECT current_setting('threads'), current_setting('temp_directory')").fetchall()[0]
        assert settings[0] == 1
        assert settings[1].startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_build_in_the_middle_is_told(engine: Engine, tmp_path: Path) -> None:
    """Row numbers from one state of the files must not select values from another state."""
    job = engine.job(MANY, tmp_path)
    file = next((tmp_path / "v").rglob("*.parquet"))
    read_values = history_reader.HistoryReader.values

    def values_after_rewrite(self: history_reader.HistoryReader, *arguments: Any, **options: Any) -> Iterator:
        pl.read_parquet(file, hive_partitioning=False).reverse().write_parquet(file)
        return read_values(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history_reader.HistoryReader, "values", values_after_rewrite)
        with pytest.raises(StoreError, match="behind the view v to stay as they are.*repeat the command"):
            job.to_arrow()
    assert features(job.to_arrow(), MANY) == MANY.expected_features()
    file.unlink()
    with pytest.raises(StoreError, match="behind the view v; found .*(No such file|no such file)"):
        job.to_arrow()


def test_columns_called_like_ours(engine: Engine, tmp_path: Path) -> None:
    rows = [{"code": "a", "event_timestamp": at(0), "created_timestamp": at(0), "row": 5, "place": 6}]
    table = Table("v", rows, {"code": pa.string()}, {"row": pa.int64(), "place": pa.int64()})
    question = Question([{"code": "a", "event_timestamp": at(1)}], [table], {"code": pa.string()})
    assert engine.features(question) == [{"v__row": 5, "v__place": 6}]
