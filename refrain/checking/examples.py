"""Examples that a person has written, computed by the batch run."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from feature_repo.contract import Contract
from feature_repo.example import Example
from feature_repo.home import Home
from feature_repo.windows import moment
from refrain.checking import oracle
from refrain.checking.batch import built
from transforms.batch.build import build
from transforms.raw.declared import raw_tables
from transforms.raw.ingest import Batch, ingest


def values(folder: Path, contract: Contract, example: Example) -> dict[str, Any]:
    """Computes the features of an example.

    Args:
        folder: an empty folder for the data.
        contract: the definitions.
        example: the example.

    Returns:
        Expected column → the value found; all are missing if no event of the key counts before the moment.

    Raises:
        ValueError: events or rows of a dimension are refused, because they break a rule of their raw table.
    """
    home = Home(folder, project_folder=contract.project.folder)
    raw = raw_tables(home)
    missing: dict[str, Any] = dict.fromkeys(example.expect)
    if not example.events:
        return missing
    for kind, events in {example.table.source.name: example.events, **example.dimensions}.items():
        if not events:
            continue
        rows = pl.DataFrame(list(events), schema_overrides=raw[kind].columns, infer_schema_length=None)
        report = ingest(home, "example", [Batch(kind, rows)]).tables[kind]
        if report.quarantined:
            raise ValueError(f"{report.quarantined} of the {kind} refused: {', '.join(report.reasons)}")
    build(home, example.at)
    history = built(home, example.table).get(tuple(example.key[name] for name in example.table.keys))
    row = history.at(oracle.micros(example.at)) if history else None
    if row is None:
        return missing
    if moment.inputs(example.table):
        row = {**row, **_of_the_moment(contract, example, row)}
    return {column: row[column] for column in example.expect}


def _of_the_moment(contract: Contract, example: Example, row: dict[str, Any]) -> dict[str, Any]:
    """The features of a table that are finished at the moment of the request, from its row."""
    function = contract.on_demand[moment.name_of(example.table)]
    prefix = f"{example.table.name}__"
    columns = {column: np.array([_number(row.get(column.removeprefix(prefix)))]) for column in function.inputs.values()}
    columns["request_timestamp"] = np.array([example.at.timestamp()])
    return {name: float(output[0]) for name, output in function.compute(columns).items()}


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
