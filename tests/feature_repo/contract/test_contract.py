"""The contract of a project: what it holds, and every contradiction as one clear error."""

from pathlib import Path

import pytest
from feast import FeatureService, FeatureView, OnDemandFeatureView

from feature_repo.errors import InputError
from tests.feature_repo.contract.packages import (
    OTHER_NAME,
    SERVICE,
    TEXT_KEY_DECLARED_AS_NUMBER,
    TWICE,
    VIEW,
    WINDOWED,
    contract,
    package,
)


def test_a_sound_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = contract(tmp_path, package("sound"), monkeypatch)
    objects = own.feast_objects()
    assert {"entity_shop", "entity_till", "view_facts", "view_till_sales", "service_sound_v1"} <= set(objects)
    assert set(own.views) == {"facts", "till_sales"}
    assert set(own.feature_tables) == {"till_sales"}
    source = own.views["facts"].batch_source
    assert source is not None
    assert source.path == str(tmp_path / "facts.parquet")  # type: ignore[attr-defined]


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
