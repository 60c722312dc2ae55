"""A sound package of definitions, to be changed by tests."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from feature_repo.contract import Contract
from feature_repo.project import PROJECT, Project
from tests.projects import write_project

ENTITIES = """
    from feast import Entity, ValueType

    shop = Entity(name="shop", join_keys=["shop_no"], value_type=ValueType.INT64)
    """
VIEW = """
    from datetime import timedelta

    from feast import FeatureView, Field, FileSource
    from feast.types import Float64, Int64

    from PACKAGE.entities import shop

    facts = FeatureView(
        name="facts",
        entities=[shop],
        ttl=timedelta(days=1),
        schema=[Field(name="shop_no", dtype=Int64), Field(name="rating", dtype=Float64)],
        source=FileSource(
            name="facts_files", path="facts.parquet", timestamp_field="at", created_timestamp_column="known_at"
        ),
    )
    """
WINDOWED = """
    from feature_repo.windows import Count, EventSource, WindowedTable

    sales = EventSource("sales", columns={"sale_id": "String", "till_id": "String"}, key=("sale_id",))
    till_sales = WindowedTable("till_sales", "Sales of a till", sales, ("till_id",), ("1d",), {"sales": Count()})
    """
SERVICE = """
    from feature_repo.service import service

    PACKAGE_v1 = service("PACKAGE_v1", "A service", "facts: rating", "till_sales")
    """


def package(name: str, **changes: str | None) -> dict[str, str]:
    """The files of a sound definition package, with changes by module; None leaves a module out.

    Args:
        name: name of the package, which replaces the word PACKAGE.
        changes: module → its text, or None.
    """
    modules: dict[str, str | None] = {
        "__init__": "",
        "entities": ENTITIES,
        "views": VIEW,
        "till": WINDOWED,
        "services": SERVICE,
    }
    files = {
        f"{name}/{module}.py": text.replace("PACKAGE", name)
        for module, text in {**modules, **changes}.items()
        if text is not None
    }
    return {"refrain.toml": f'name = "shop"\ndefinitions = ["{name}"]\n', **files}


def contract(folder: Path, files: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Contract:
    write_project(folder, files)
    monkeypatch.setenv(PROJECT, str(folder))
    return Contract(Project.load(folder))


TWICE = """
    from feast import Entity, ValueType

    again = Entity(name="shop", join_keys=["shop_no"], value_type=ValueType.STRING)
    """
OTHER_NAME = TWICE.replace('"shop"', '"branch"')
TEXT_KEY_DECLARED_AS_NUMBER = """
    from feast import Entity, ValueType

    till = Entity(name="till", join_keys=["till_id"], value_type=ValueType.INT64)
    """
