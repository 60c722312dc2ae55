"""Models read no raw table that they do not declare: what training reads is recorded."""

from pathlib import Path

import polars as pl
import pytest

from feature_repo.home import Home
from tests import worlds
from training.fairness import people
from training.models.find import models
from training.train import train
from transforms.raw import read

pytestmark = pytest.mark.soak


@pytest.mark.parametrize(
    "name", ["capacity_forecaster", "churn_model", "sequence_model", "skip_model", "recommendation"]
)
def test_a_model_declares_the_raw_tables_that_it_reads(
    name: str, world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, tables, files, scan = models(), set[str](), read.files, people.scan
    assert name in known, sorted(known)

    def recorded(home: Home, table: str) -> list[Path]:
        tables.add(table)
        return files(home, table)

    def scan_for_figures(home: Home, table: str) -> pl.LazyFrame:
        """Figures are told by groups of people, of which the model learns nothing."""
        before = tables.copy()
        rows = scan(home, table)
        tables.intersection_update(before)
        return rows

    monkeypatch.setattr(people, "scan", scan_for_figures)
    for folder in worlds.copied(world, Home(tmp_path / "world"), monkeypatch):
        monkeypatch.setattr(read, "files", recorded)
        train(folder, name)
    assert tables <= set(known[name].raw)
    assert tables
