"""Purposes: words of a project, tables that are for some of them, services that may read such tables or not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo.contract import Contract, contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.lint import purpose_findings
from feature_repo.project import Project
from feature_repo.purpose_checks import check_purposes, violations
from tests.projects import music_with_purposes, outside_projects, write_project

SHOP = """
    import dataframely as dy
    from feature_repo.on_demand import OnDemand
    from feature_repo.service import service
    from feature_repo.windows import Count, EventSource, WindowedTable
    {more}

    orders = EventSource(
        "orders", columns={{"customer_id": "String"}}, key=("customer_id",), purposes={purposes}
    )
    customer_orders = WindowedTable(
        "customer_orders", "Orders", orders, ("customer_id",), ("7d",), {{"orders": Count()}}
    )
    double = OnDemand(
        "double", lambda columns: {{"twice": columns["orders"] * 2}}, {{"orders": "customer_orders__orders_7d"}},
        {{"twice": "Float64"}},
    )
    SERVICES = (service("shop_v1", "A customer", {feature!r}, purpose={purpose!r}),)
    """
CONSENTS = """consents = EventSource(
        "consents",
        columns={"customer_id": "String", "purpose": "String", "granted": "Bool"},
        key=("customer_id", "purpose", "granted"),
    )"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with outside_projects(monkeypatch):
        yield


def shop(
    folder: Path, purposes: object, purpose: str, *, section: str = "", more: str = "", feature: str = "customer_orders"
) -> Contract:
    text = SHOP.format(purposes=repr(purposes), purpose=purpose, more=more, feature=feature)
    files = {"refrain.toml": f'name = "shop"\ndefinitions = ["shop"]\n{section}', "shop.py": text}
    return contract_of(Home(folder / "data", project_folder=write_project(folder, files)))


def test_a_table_says_nothing_and_may_be_used_for_anything(tmp_path: Path) -> None:
    contract = shop(tmp_path, None, "advertising")
    check_purposes(contract.purpose_declarations)
    assert contract.services["shop_v1"].tags == {"purpose": "advertising"}


def test_a_table_may_be_used_for_its_purposes(tmp_path: Path) -> None:
    contract = shop(tmp_path, ("security", "analytics"), "analytics")
    assert list(contract.feast_objects())


@pytest.mark.parametrize("purpose", ["advertising", ""])
@pytest.mark.parametrize("feature", ["customer_orders", "double"])
def test_a_service_for_another_purpose_is_refused(tmp_path: Path, purpose: str, feature: str) -> None:
    contract = shop(tmp_path, ("security", "analytics"), purpose, feature=feature)
    with pytest.raises(InputError, match="of the table orders, which is for security, analytics") as error:
        contract.feast_objects()
    assert error.value.next_command.endswith("refrain apply")
    (finding,) = purpose_findings(contract.purpose_declarations)
    assert (finding.severity, finding.where) == ("error", "the service shop_v1")


def test_a_raw_table_of_its_own_overrules_its_events(tmp_path: Path) -> None:
    more = (
        "from transforms.raw.table import RawTable, Timed, key_column\n"
        "    class Orders(Timed):\n        customer_id = key_column()\n"
        '    ORDERS = RawTable("orders", Orders, key=("customer_id", "event_timestamp"), purposes=("service",))'
    )
    contract = shop(tmp_path, None, "analytics", more=more)
    assert [one.found for one in violations(contract.purpose_declarations)] == [
        "customer_orders, of the table orders, which is for service"
    ]


@pytest.mark.parametrize(("purposes", "purpose"), [(("reserch",), "analytics"), (None, "reserch")])
def test_an_unknown_word_is_refused(tmp_path: Path, purposes: object, purpose: str) -> None:
    with pytest.raises(InputError, match="'reserch'"):
        check_purposes(shop(tmp_path, purposes, purpose).purpose_declarations)


def test_a_project_may_have_words_of_its_own(tmp_path: Path) -> None:
    section = '[purposes]\nreserch = "no consent"\n'
    check_purposes(shop(tmp_path, ("reserch",), "reserch", section=section).purpose_declarations)


def test_consent_needs_the_events_of_consent(tmp_path: Path) -> None:
    section = '[purposes]\nanalytics = "opt-in"\n'
    with pytest.raises(InputError, match="'consents'"):
        check_purposes(shop(tmp_path / "without", None, "analytics", section=section).purpose_declarations)


def test_consent_may_be_of_people_with_another_key(tmp_path: Path) -> None:
    section = '[purposes]\nanalytics = "opt-in"\n'
    check_purposes(shop(tmp_path, None, "analytics", section=section, more=CONSENTS).purpose_declarations)


@pytest.mark.parametrize(
    ("section", "found"),
    [
        ('purposes = "all"\n', "'all'"),
        ('[purposes]\nanalytics = "maybe"\n', "'maybe'"),
        ("[purposes]\nanalytics = true\n", "True"),
        ('[purposes]\n"Big Data" = "opt-in"\n', "'Big Data'"),
        ("[purposes]\nanalytics = [1]\n", r"\[1\]"),
    ],
)
def test_a_malformed_section_is_refused(tmp_path: Path, section: str, found: str) -> None:
    write_project(tmp_path, {"refrain.toml": f'name = "shop"\n{section}'})
    with pytest.raises(InputError, match=found):
        Project.load(tmp_path)


def test_the_bundled_services_are_for_what_they_say(tmp_path: Path) -> None:
    contract = contract_of(Home(tmp_path, project_folder=music_with_purposes(tmp_path, {"personalisation": "opt-in"})))
    assert not list(violations(contract.purpose_declarations))
    tables = contract.purpose_declarations.tables
    assert tables["user_session_now"] == tables["user_session"] == {"plays"}
    of_people = {view for view in contract.feature_tables if "user" in contract.views[view].entities}
    for name, service in contract.services.items():
        views = {projection.name for projection in service.feature_view_projections}
        if views & of_people and name != "consent_v1":
            assert service.tags.get("purpose"), name
