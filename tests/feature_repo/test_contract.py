"""The contract of a project: every contradiction is one clear error, and a failed apply changes nothing."""

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from feast import FeatureService, FeatureView, OnDemandFeatureView

from feature_repo.contract import Contract
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.project import PROJECT, Project
from feature_repo.stores import redis_server
from tests.processes import run_python
from tests.projects import imports_undone, write_project

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


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (PROJECT, "REFRAIN_HOME", "REFRAIN_TENANT", "REFRAIN_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with imports_undone():
        yield


def contract(folder: Path, files: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Contract:
    write_project(folder, files)
    monkeypatch.setenv(PROJECT, str(folder))
    return Contract(Project.load(folder))


def test_a_sound_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = contract(tmp_path, package("sound"), monkeypatch)
    objects = own.feast_objects()
    assert {"entity_shop", "entity_till", "view_facts", "view_till_sales", "service_sound_v1"} <= set(objects)
    assert set(own.views) == {"facts", "till_sales"}
    assert set(own.feature_tables) == {"till_sales"}
    source = own.views["facts"].batch_source
    assert source is not None
    assert source.path == str(tmp_path / "facts.parquet")  # type: ignore[attr-defined]


TWICE = """
    from feast import Entity, ValueType

    again = Entity(name="shop", join_keys=["shop_no"], value_type=ValueType.STRING)
    """

OTHER_NAME = TWICE.replace('"shop"', '"branch"')

TEXT_KEY_DECLARED_AS_NUMBER = """
    from feast import Entity, ValueType

    till = Entity(name="till", join_keys=["till_id"], value_type=ValueType.INT64)
    """

EVENT_SOURCE = '{"sale_id": "String", "till_id": "String"}, key=("sale_id",))'

BROKEN = {
    "two views": (
        {"more_views": VIEW},
        r"a name of its own for every FeatureView; found a second 'facts' in PACKAGE.views",
    ),
    "a view and a windowed table": (
        {"till": WINDOWED.replace('"till_sales"', '"facts"')},
        r"a name of its own for every view; found a second 'facts' in PACKAGE.views; the first is in PACKAGE.till",
    ),
    "names that differ by case": (
        {"till": WINDOWED.replace('"till_sales"', '"Facts"')},
        r"whatever the case of its letters; found 'Facts' and 'facts'",
    ),
    "a view and an on-demand function": (
        {
            "on_demand": """
                from feature_repo.on_demand import OnDemand


                def double(rating):
                    return {"twice": rating * 2}


                facts = OnDemand("facts", double, {"rating": "facts__rating"}, {"twice": "Float64"})
                """
        },
        r"a name of its own for every view and on-demand function.*'facts' and 'facts'",
    ),
    "an entity twice": (
        {"more": TWICE},
        r"a name of its own for every Entity; found a second 'shop' in PACKAGE\.\w+; the first is in PACKAGE\.\w+",
    ),
    "a join key of two types": ({"more": OTHER_NAME}, r"one type for the join key 'shop_no'; found STRING in the"),
    "a windowed key that is a number": (
        {"more": TEXT_KEY_DECLARED_AS_NUMBER},
        r"the type STRING of 'till_id', a key of the windowed table till_sales, .*; found INT64 in the entity till",
    ),
    "a service twice": (
        {"services_too": SERVICE},
        r"a name of its own for every ServiceDeclaration; found a second 'PACKAGE_v1'",
    ),
    "a service of Feast's own with the name of another": (
        {
            "native": """
                from feast import FeatureService

                from PACKAGE.views import facts

                again = FeatureService(name="PACKAGE_v1", features=[facts])
                """
        },
        r"a name of its own for every service; found a second 'PACKAGE_v1' in PACKAGE.native",
    ),
    "a view without its entity": (
        {
            "entities": "import feast\n\nshop = None\n",
            "views": VIEW.replace(
                "entities=[shop]",
                "entities=[__import__('feast').Entity(name='hidden', join_keys=['shop_no'], "
                "value_type=__import__('feast').ValueType.INT64)]",
            ),
        },
        r"the entities of the view facts among those of the project.*'hidden', which is in no module by itself",
    ),
    "a service of an unknown view": (
        {"services": SERVICE.replace("facts: rating", "fact: rating")},
        r"a view, one of \['facts', 'till_sales'\], in the service PACKAGE_v1; found 'fact' in PACKAGE.services",
    ),
    "a service of an unknown column": (
        {"services": SERVICE.replace("facts: rating", "facts: ratings")},
        r"a feature of facts, one of \['rating'\], in the service PACKAGE_v1; found 'ratings' in PACKAGE.services",
    ),
    "a service of Feast's own with a view that is nowhere": (
        {
            "native": """
                from feast import FeatureService

                from PACKAGE.views import hidden

                native = FeatureService(name="native", features=[*hidden.values()])
                """,
            "views": VIEW.replace("facts = FeatureView(", "hidden = {1: FeatureView(").replace(
                '"known_at"\n        ),\n    )', '"known_at"\n        ),\n    )}'
            ),
            "services": None,
        },
        r"a view in the service native, one of \['till_sales'\]; found 'facts', which is in no module by itself",
    ),
    "two sources of one name": (
        {
            "more_views": """
                from feast import FeatureView, Field, FileSource
                from feast.types import Float64

                from PACKAGE.entities import shop

                other = FeatureView(
                    name="other",
                    entities=[shop],
                    schema=[Field(name="x", dtype=Float64)],
                    source=FileSource(name="Facts_files", path="other.parquet", timestamp_field="at"),
                )
                """
        },
        r"a name of its own for every source.*a second source '\w+' in the view other; the first is in facts",
    ),
    "an on-demand function of an unknown feature": (
        {
            "on_demand": """
                from feature_repo.on_demand import OnDemand


                def double(rating):
                    return {"twice": rating * 2}


                doubled = OnDemand("doubled", double, {"rating": "facts__stars"}, {"twice": "Float64"})
                """
        },
        r"inputs of the on-demand function doubled as view__feature; found 'facts__stars', which no view has",
    ),
    "a windowed table of an event that is nowhere": (
        {
            "till": WINDOWED.replace("sales = EventSource(", "sources = {0: EventSource(")
            .replace('key=("sale_id",))', 'key=("sale_id",))}')
            .replace('"Sales of a till", sales,', '"Sales of a till", sources[0],')
        },
        r"the source of the windowed table till_sales among the events of the project; found 'sales' in PACKAGE.till",
    ),
}
"""A contradiction → the modules that differ from those of a sound package, and the message."""


@pytest.mark.parametrize("case", BROKEN)
def test_a_contradiction_is_one_clear_error(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "broken_" + "".join(letter for letter in case if letter.isalpha() and letter.isascii())
    changes, message = BROKEN[case]
    files = package(name, **changes)
    with pytest.raises(InputError, match=message.replace("PACKAGE", name)) as caught:
        contract(tmp_path, files, monkeypatch).feast_objects()
    assert len(str(caught.value)) < 600
    assert caught.value.next_command


IMPORTS = {
    "an error": ("import math\n\nx = math.sqrt(-1)\n", "views.py, line 3: ValueError"),
    "a syntax error": ("x = 1\ny = = 2\n", "views.py, line 2: SyntaxError"),
    "a module that is not installed": ("import no_such_module_anywhere\n", "views.py, line 1: ModuleNotFoundError"),
    "a circular import": ("from PACKAGE.other import x\n\ny = 1\n", "views.py, line 1: ImportError: .*circular"),
    "a long message": ("raise ValueError('x' * 5_000 + '\\n' * 50)\n", "views.py, line 1: ValueError: xxx"),
    "an exit": ("import sys\n\nsys.exit(3)\n", "views.py, line 3: SystemExit: 3"),
    "an invalid declaration": (
        "from feature_repo.windows import Count, EventSource, WindowedTable\n\n"
        'sales = EventSource("sales", columns={"till_id": "String"})\n'
        'till = WindowedTable("till", "Sales", sales, ("till",), ("1d",), {"sales": Count()})\n',
        "the key 'till' .which is not there., in .*views.py, line 4",
    ),
}


@pytest.mark.parametrize("case", IMPORTS)
def test_a_module_that_fails_is_named_with_its_line(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "failing_" + case.replace(" ", "_")
    text, message = IMPORTS[case]
    files = {
        "refrain.toml": f'name = "shop"\ndefinitions = ["{name}"]\n',
        f"{name}/__init__.py": "",
        f"{name}/views.py": text.replace("PACKAGE", name),
        f"{name}/other.py": f"from {name}.views import y\n\nx = 1\n",
    }
    with pytest.raises(InputError, match=message) as caught:
        contract(tmp_path, files, monkeypatch).feast_objects()
    assert str(tmp_path / name) in caught.value.found
    assert len(str(caught.value)) < 900
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere_definitions", "nowhere.deep", "a-b c", "", ".relative"])
def test_a_package_that_does_not_exist_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    files = {"refrain.toml": f'name = "shop"\ndefinitions = ["{name}"]\n'}
    with pytest.raises(InputError, match="no such package") as caught:
        contract(tmp_path, files, monkeypatch).feast_objects()
    assert f"{tmp_path}/refrain.toml" in caught.value.next_command


@pytest.mark.parametrize("name", ["json", "sys", "feature_repo", "polars", "training"])
def test_a_package_with_the_name_of_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = set(sys.modules)
    files = {"refrain.toml": f'name = "shop"\ndefinitions = ["{name}"]\n', f"{name}/__init__.py": "x = 1\n"}
    with pytest.raises(InputError, match=f"a name for the package {tmp_path}/{name} that nothing else has"):
        contract(tmp_path, files, monkeypatch).events  # noqa: B018
    assert not {module for module in set(sys.modules) - before if module.startswith(f"{name}.")}


def test_names_of_music_are_taken_where_it_is_extended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = WINDOWED.replace('"till_sales"', '"user_session"')
    files = {
        "refrain.toml": 'name = "shop"\ndefinitions = ["extending"]\nextends = ["music"]\n',
        "extending.py": text,
    }
    with pytest.raises(InputError, match="a second 'user_session' in extending; the first is in feature_repo"):
        contract(tmp_path, files, monkeypatch).feast_objects()
    files["refrain.toml"] = 'name = "shop"\ndefinitions = ["extending"]\n'
    os.utime(write_project(tmp_path, files) / "refrain.toml", ns=(1, 1))
    alone = Contract(Project.load(tmp_path))
    assert set(alone.views) == {"user_session"}
    files = {"refrain.toml": 'name = "shop"\ndefinitions = ["extending_too"]\nextends = ["music"]\n'}
    extended = contract(tmp_path / "too", {**files, "extending_too.py": WINDOWED}, monkeypatch)
    assert {"user_session", "till_sales"} <= set(extended.views)
    extended.feast_objects()


def test_an_entity_is_made_for_a_key_whose_short_name_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entity = TEXT_KEY_DECLARED_AS_NUMBER.replace("till_id", "till_no")
    own = contract(tmp_path, package("named", more=entity), monkeypatch)
    assert {entity.join_key: name for name, entity in own.entities.items()} == {
        "shop_no": "shop",
        "till_no": "till",
        "till_id": "till_id",
    }
    own.feast_objects()


def test_two_entities_of_one_key_and_type_are_both_registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    same_type = OTHER_NAME.replace("STRING", "INT64")
    own = contract(tmp_path, package("two_entities", more=same_type), monkeypatch)
    assert {"entity_shop", "entity_branch"} <= set(own.feast_objects())


NATIVE = """
    from feast import FeatureService, Field
    from feast.on_demand_feature_view import on_demand_feature_view
    from feast.types import Float64

    from PACKAGE.views import facts


    @on_demand_feature_view(sources=[facts], schema=[Field(name="twice", dtype=Float64)], mode="python")
    def doubled(inputs):
        return {"twice": [2 * value for value in inputs["rating"]]}


    native = FeatureService(name="native", features=[facts[["rating"]], doubled])
    """


@pytest.mark.parametrize("module", ["views", "services", "native", "on_demand"])
def test_objects_of_feast_are_found_in_every_room(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"native_in_{module}"
    text = VIEW + NATIVE.replace("from PACKAGE.views import facts", "") if module == "views" else NATIVE
    own = contract(tmp_path, package(name, **{module: text}), monkeypatch)
    assert isinstance(own.services["native"], FeatureService)
    assert isinstance(own.on_demand_views["doubled"], OnDemandFeatureView)
    assert isinstance(own.views["facts"], FeatureView)
    assert "doubled" not in own.on_demand
    own.feast_objects()


def test_installed_packages_add_definitions_and_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny installed distribution: modules, and the metadata that an installer writes."""
    site = tmp_path / "site"
    information = "site/kiosk_features-1.0.dist-info"
    points = "[refrain.definitions]\nkiosk = kiosk_features\n\n[refrain.models]\nkiosk = kiosk_models\n"
    write_project(
        tmp_path,
        {
            "site/kiosk_features/__init__.py": "",
            "site/kiosk_features/windowed.py": WINDOWED,
            "site/kiosk_features/events.py": "from kiosk_features.windowed import sales  # noqa: F401\n",
            "site/kiosk_models.py": "x = 1\n",
            f"{information}/METADATA": "Metadata-Version: 2.1\nName: kiosk-features\nVersion: 1.0\n",
            f"{information}/entry_points.txt": points,
        },
    )
    monkeypatch.syspath_prepend(str(site))
    own = contract(tmp_path / "shop", package("beside_installed", till=None, services=None), monkeypatch)
    assert set(own.views) == {"facts", "till_sales"}
    own.find(Project, "models")
    assert "kiosk_models" in sys.modules
    (site / "kiosk_features" / "views.py").write_text("raise ValueError('broken')\n")
    with pytest.raises(InputError, match="as the entry point kiosk of kiosk-features names it") as caught:
        Contract(own.project).feast_objects()
    assert f"{site}/kiosk_features/views.py, line 1" in caught.value.found
    (site / "kiosk_features" / "views.py").unlink()
    shutil.rmtree(site / "kiosk_features")
    with imports_undone():
        for name in [name for name in sys.modules if name.startswith("kiosk_features")]:
            del sys.modules[name]
        with pytest.raises(InputError, match="no such package") as caught:
            Contract(own.project).feast_objects()
    assert "pip install --force-reinstall kiosk-features" in caught.value.next_command


def tables_of(home: Home) -> dict[str, list[tuple]]:
    """All rows of the registry."""
    with sqlite3.connect(home.registry) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in sorted(names)}


FAILING = {
    "a contradiction of ours": {"services": SERVICE.replace("facts: rating", "facts: stars")},
    "files that Feast cannot infer from": {
        "more_views": """
            from feast import FeatureView, FileSource

            from PACKAGE.entities import shop

            inferred = FeatureView(
                name="inferred",
                entities=[shop],
                source=FileSource(name="inferred_files", path="nowhere.parquet", timestamp_field="at"),
            )
            """
    },
    "a fault within Feast's writes": {
        "more_views": """
            from feast import FeatureService

            from PACKAGE.views import facts


            class Unwritable(FeatureService):
                def to_proto(self):
                    raise ValueError("no text for this service")


            unwritable = Unwritable(name="unwritable", features=[facts])
            """
    },
}


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose definitions are applied."""
    folder = write_project(tmp_path_factory.mktemp("applied"), package("applied"))
    assert apply(folder) == ""
    yield folder
    redis_server.stop(Home(folder / "data", project_folder=folder))


def apply(folder: Path) -> str:
    """Applies a project in a process of its own; returns the error output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFRAIN_")}
    process = run_python("-m", "feature_repo", "apply", environment=environment | {PROJECT: str(folder)})
    return process.stderr if process.returncode else ""


@pytest.mark.parametrize("case", FAILING)
def test_a_failed_apply_changes_nothing(case: str, applied: Path) -> None:
    home = Home(applied / "data", project_folder=applied)
    before, manifest = tables_of(home), home.manifest.read_bytes()
    entities = ENTITIES + OTHER_NAME.replace("STRING", "INT64")  # sound, but must not be registered alone
    files = package("applied", **FAILING[case], entities=entities)
    changed = {name: text for name, text in files.items() if name != "refrain.toml"}
    originals = {name: (applied / name).read_text() if (applied / name).exists() else None for name in changed}
    try:
        write_project(applied, changed)
        errors = apply(applied)
    finally:
        for name, text in originals.items():
            (applied / name).unlink() if text is None else (applied / name).write_text(text)
    assert errors.count("Expected") == 1, errors
    assert len(errors.splitlines()) <= 8, errors
    assert tables_of(home) == before
    assert home.manifest.read_bytes() == manifest
    assert apply(applied) == ""  # as it was, it applies


def test_a_first_apply_that_fails_leaves_no_registry(tmp_path: Path) -> None:
    folder = write_project(tmp_path, package("first_apply", **FAILING["a fault within Feast's writes"]))
    assert "no text for this service" in apply(folder)
    assert not list((folder / "data").glob("registry.db*"))
    assert not list((folder / "data").glob("manifest*"))
    redis_server.stop(Home(folder / "data", project_folder=folder))
