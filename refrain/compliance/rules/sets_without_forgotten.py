"""No saved training set has rows of people who asked to be forgotten."""

from collections.abc import Iterator

import polars as pl

from feature_repo.encryption import parquet_files
from feature_repo.forgotten import Forgotten
from refrain.compliance.facts import Facts
from refrain.compliance.rule import Breach, Rule


def check(facts: Facts) -> Iterator[Breach]:
    """Yields training sets with rows of forgotten people, such as those of a restored backup."""
    forgotten = Forgotten.of(facts.home)
    for folder in sorted(facts.home.training_sets.glob("*/")) if forgotten.digests else []:
        data = folder / "data.parquet"
        if not data.is_file():
            continue
        rows = parquet_files.scan(data)
        columns = rows.collect_schema().names()
        for key in forgotten.digests:
            if key in columns:
                ids = rows.select(pl.col(key).cast(pl.String).unique()).drop_nulls().collect().to_series()
                if count := len(forgotten.among(key, ids)):
                    problem = f"it has rows of {count:,} people who asked to be forgotten"
                    yield Breach(folder.name, problem, f"rm -r {folder}, then train its models again")


RULE = Rule("sets_without_forgotten", "Training sets have no rows of people who are forgotten.", check)
