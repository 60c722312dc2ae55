"""A definition behind a service changes: serving refuses models that were trained on the features of before."""

import contextlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from feast import FeatureStore

from feature_repo.bundle import ALIASES
from feature_repo.compile_manifest import compile_manifest
from feature_repo.contract import contract_of
from feature_repo.errors import BundleError
from feature_repo.home import Home
from feature_repo.manifest import load_service
from feature_repo.project import PROJECT
from feature_repo.store import FOLDER, config_file
from feature_repo.stores import redis_server
from inference.features import OnlineFeatures
from inference.models import load_bundle
from tests.projects import imports_undone, write_project
from training.bundle import write_bundle
from training.datasets import training_set
from transforms.batch.build import build
from transforms.raw.ingest import Batch, ingest

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)

DEFINITIONS = """
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, String

from feature_repo.service import service
from feature_repo.windows import Count, CountIf, EventSource, Mean, Quantile, WindowedTable, column

orders = EventSource("orders", columns={"user_id": "String", "order_id": "String", "cents": "Int64"}, key=("order_id",))

spending = WindowedTable(
    name="spending",
    about="What a person spends",
    source=orders,
    keys=("user_id",),
    windows=("7d", "28d"),
    features={"orders": Count(), "large": CountIf(where=column("cents") >= 500), "mean": Mean("cents")},
)

facts = FeatureView(
    name="facts",
    entities=[Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)],
    schema=[Field(name="user_id", dtype=String), Field(name="rating", dtype=Float64)],
    source=FileSource(path="facts.parquet", timestamp_field="known_at"),
    description="Facts about a person",
)

buyer = service("buyer_v1", "Who buys", "spending: orders_7d large_7d", "facts")
"""

LARGE = '"large": CountIf(where=column("cents") >= 500)'
OTHER = {
    "a condition": ('cents") >= 500', 'cents") >= 501'),
    "an aggregate": ("Count(), ", 'CountIf(where=column("cents") > 0), '),
    "a range of the source": ('key=("order_id",)', 'key=("order_id",), ranges={"cents": (0, 99)}'),
    "when rows are written": ("windows=(", 'every="1h", windows=('),
    "a window": ("orders_7d large_7d", "orders_28d large_7d"),
    "the files of a plain view": ("facts.parquet", "other.parquet"),
}
SAME = {
    "a description": ("What a person spends", "What somebody spends"),
    "a description of a plain view": ("Facts about", "What is known about"),
    "a feature that is not taken": ("Mean(", "Quantile("),
    "the order of features": (f'"orders": Count(), {LARGE}', f'{LARGE}, "orders": Count()'),
    "the order of windows": ('("7d", "28d")', '("28d", "7d")'),
}


class Shop:
    """A data folder that belongs to one project after another, whose definitions differ."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0

    def home(self, *change: str) -> Home:
        """Writes a project whose definitions differ by a change, and returns the data folder as its folder."""
        self.count += 1
        package = f"shop_{self.count}"
        text = DEFINITIONS.replace(*change) if change else DEFINITIONS
        assert (text != DEFINITIONS) == bool(change)
        project = self.folder / package
        write_project(project, {"refrain.toml": f'name = "shop"\ndefinitions = ["{package}"]\n', f"{package}.py": text})
        ages = [timedelta(hours=hour) for hour in range(3)]
        facts = pl.DataFrame(
            {"user_id": ["a", "b", "c"], "rating": [1.0, 2.0, 3.0], "known_at": [BEGIN + age for age in ages]}
        )
        for file in ("facts.parquet", "other.parquet"):
            facts.write_parquet(project / file)
        return Home(self.folder / "data", project_folder=project)


def apply(home: Home) -> None:
    """Applies the definitions in this process."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        store = FeatureStore(repo_path=str(FOLDER), fs_yaml_file=config_file(home))
        store.apply(list(contract_of(home).feast_objects().values()))
        compile_manifest(store, home)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The folder of a shop whose model is promoted: events, a built table, and the model's bundle."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    with pytest.MonkeyPatch.context() as patch, imports_undone():
        home = shop.home()
        patch.setenv("REFRAIN_HOME", str(home.root))
        patch.setenv(PROJECT, str(home.project_folder))
        times = [BEGIN + timedelta(hours=hour) for hour in range(40)]
        orders = {
            "user_id": [f"{'abc'[number % 3]}" for number in range(40)],
            "order_id": [f"o{number}" for number in range(40)],
            "cents": [number * 30 for number in range(40)],
            "event_timestamp": times,
            "created_timestamp": times,
        }
        ingest(
            home.ensure(), "test", [Batch("orders", pl.DataFrame(orders).with_columns(platform_id=pl.lit("default")))]
        )
        build(home)
        apply(home)
        pulled = training_set("buyer_v1", {"user_id": ["a"], "event_timestamp": [BEGIN + timedelta(days=3)]}, home=home)
        assert pulled.to_polars()["spending__orders_7d"].to_list() == [14]
        manifest = {
            **{"name": "buyer", "version": 1, "family": "buyer", "feature_service": "buyer_v1", "inputs": []},
            **{"outputs": [], "metrics": {}, "training_set": "", "cutoff": "", "extra": {}},
            "fingerprint": pulled.manifest["fingerprint"],
        }
        write_bundle(home.bundles("buyer") / "1", {"model.onnx": b"x"}, manifest)
        (home.bundles("buyer") / ALIASES).write_text('{"champion": 1}')
        yield shop
        redis_server.stop(home)


@pytest.mark.parametrize("change", [*OTHER, *SAME])
def test_a_model_is_served_until_a_definition_behind_its_service_changes(shop: Shop, change: str) -> None:
    home = shop.home(*{**OTHER, **SAME}[change])
    apply(home)
    fingerprint = load_service(home, "buyer_v1").fingerprint
    spine = {"user_id": ["a"], "event_timestamp": [BEGIN + timedelta(days=3)]}
    assert training_set("buyer_v1", spine, home=home).manifest["fingerprint"] == fingerprint
    assert OnlineFeatures("buyer_v1", home).service.fingerprint == fingerprint
    if change in SAME:
        assert load_bundle("buyer", home).manifest["fingerprint"] == fingerprint
        return
    with pytest.raises(BundleError, match="trained on buyer_v1 as it is online") as error:
        load_bundle("buyer", home)
    assert error.value.next_command == "refrain model run buyer && refrain model promote buyer"
    apply(shop.home())
    assert load_bundle("buyer", shop.home())
