"""A model in a package of its own, as a user adds one."""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo.home import Home
from training.models.base import Model
from training.models.find import PACKAGES, models

OWN_MODEL = '''
"""Will this play be broken off? The same question on fewer rows."""

from datetime import timedelta

import polars as pl

from training.models.tabular import TabularModel
from transforms.raw.read import plays


def rows(home):
    chosen = plays(home).filter(pl.col("artist_id").is_not_null()).head(12_000)
    keys = ("user_id", "track_id", "artist_id", "event_timestamp", "device", "context")
    return chosen.select(*keys, label=pl.col("skipped").cast(pl.Int8)).collect()


MODEL = TabularModel(
    name="own_model",
    family="own",
    about="A model of somebody else.",
    services=("skip_v1",),
    raw=("plays",),
    rows=rows,
    kind="binary",
    cluster="user_id",
    horizon=timedelta(hours=1),
    parameters={"trees": 20},
    segments=("context",),
)
'''


@pytest.fixture
def own_model(own_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    """A model that is discovered by the name of its package; the data folder is a copy of the small world."""
    package = tmp_path / "models" / "somebodys_models"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "own_model.py").write_text(textwrap.dedent(OWN_MODEL))
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setenv(PACKAGES, "somebodys_models")
    yield models()["own_model"]
    for name in [name for name in sys.modules if name.startswith("somebodys_models")]:
        del sys.modules[name]
