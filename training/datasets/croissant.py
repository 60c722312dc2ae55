"""A saved training set as others read it: its description in Croissant 1.0, JSON-LD beside its files.

The format is that of http://mlcommons.org/croissant/1.0, on the vocabulary of schema.org. It names the files with their
SHA-256, every column with its type, the times that the rows are of, the feature service with its fingerprint, and the
digests of the feature tables that the values come from. A licence is named if the project declares one.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.contract import contract_of
from feature_repo.encryption import parquet_files
from feature_repo.home import Home
from transforms import parquet

FILE = "croissant.json"
"""File of a saved training set."""
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
ROWS = "rows"
"""Name of the record set."""

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in (
            *(
                "citeAs",
                "column",
                "equivalentProperty",
                "extract",
                "field",
                "fileObject",
                "fileProperty",
                "fileSet",
                "format",
                "includes",
            ),
            *("isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
            *("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}
_FLOATS = {"Float32": "cr:Float32", "Float64": "cr:Float64"}


def write(home: Home, folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Writes the description of a saved training set beside its files.

    Args:
        home: the data folder.
        folder: folder of the set, with ``data.parquet`` and ``spine.parquet``.
        manifest: the set's manifest.

    Returns:
        The file.
    """
    path = folder / FILE
    path.write_text(json.dumps(describe(home, folder, manifest), indent=1, ensure_ascii=False) + "\n")
    return path


def describe(home: Home, folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the description of a saved training set; equal files give equal descriptions."""
    data = folder / "data.parquet"
    schema = parquet_files.scan(data).collect_schema()
    moment = pl.col("event_timestamp")
    first, last = parquet_files.scan(data).select(first=moment.min(), last=moment.max()).collect().row(0)
    service = manifest["feature_service"]
    license_of_data = contract_of(home).project.data_license
    fields = [_field(name, dtype) for name, dtype in schema.items()]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": f"{service}-{manifest['digest'][:16]}",
        "description": _about(manifest),
        "version": "1.0.0",
        "identifier": f"sha256:{manifest['digest']}",
        **({"license": license_of_data} if license_of_data else {}),
        **({} if first is None else {"temporalCoverage": f"{_text(first)}/{_text(last)}"}),
        "creator": {"@type": "sc:Organization", "name": contract_of(home).project.name},
        "additionalProperty": [
            _property("feature service", service),
            _property("fingerprint of the feature service", manifest["fingerprint"]),
            _property("rows", manifest["rows"]),
            _property("only what was known at the time", manifest["as_known"]),
            _property("Refrain", manifest["refrain"]),
        ],
        "isBasedOn": [
            {"@type": "sc:Dataset", "name": f"feature view {name}", "identifier": str(digest)}
            for name, digest in (manifest["sources"] or {}).items()
        ],
        "distribution": [_file(path) for path in (data, folder / "spine.parquet")],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": ROWS,
                "name": ROWS,
                "description": "One row a row of the spine, in its order.",
                "field": [one for one in fields if one is not None],
            }
        ],
    }


def _about(manifest: Mapping[str, Any]) -> str:
    known = " that had been computed by then" if manifest["as_known"] else ""
    return (
        f"Training set of the feature service {manifest['feature_service']}. Each row has the keys and the time "
        f"(event_timestamp, UTC) of one row of the spine, its further columns such as the label, and the features of "
        f"the service as of that time: of each feature view the newest row at or before it{known}. No value is of a "
        f"later time."
    )


def _file(path: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": parquet.digest(path),
    }


def _field(name: str, dtype: pl.DataType) -> dict[str, Any] | None:
    """A column as a field; None for one of structures, which a field of one type cannot have."""
    is_list = isinstance(dtype, pl.List | pl.Array)
    data_type = _data_type(dtype.inner if is_list else dtype)  # type: ignore[attr-defined]
    if data_type is None:
        return None
    view, _, feature = name.partition("__")
    about = f"the feature {feature} of the view {view}" if feature else f"the column {name} of the spine"
    return {
        "@type": "cr:Field",
        "@id": f"{ROWS}/{name}",
        "name": name,
        "description": f"{about[0].upper()}{about[1:]}.",
        "dataType": data_type,
        **({"repeated": True} if is_list else {}),
        "source": {"fileObject": {"@id": "data.parquet"}, "extract": {"column": name}},
    }


def _data_type(dtype: pl.DataType) -> str | None:
    """The type of values: of schema.org, or a number of Croissant with its size."""
    if dtype.is_integer():
        return f"cr:{dtype}"
    if dtype.is_float():
        return _FLOATS.get(str(dtype), "sc:Float")
    kinds: dict[type[pl.DataType], str] = {
        pl.Boolean: "sc:Boolean",
        pl.Date: "sc:Date",
        pl.Datetime: "sc:DateTime",
        pl.String: "sc:Text",
        pl.Null: "sc:Text",
    }
    return next((name for kind, name in kinds.items() if isinstance(dtype, kind)), None)


def _property(name: str, value: object) -> dict[str, Any]:
    return {"@type": "sc:PropertyValue", "name": name, "value": value}


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
