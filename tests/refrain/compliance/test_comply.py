"""Every rule fails where it should, exemptions end, and a policy that is wrong is named with its line."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from typer.testing import CliRunner

from feature_repo import clock
from feature_repo.contract import Contract
from feature_repo.errors import InputError
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.project import Project
from refrain.cli import app
from refrain.compliance.check import Report, check, rules_of
from refrain.compliance.marks import Marks
from refrain.compliance.report import as_junit, as_text
from refrain.lineage.declared import declared_lineage
from refrain.lineage.graph import Node
from refrain.person.erasure.journal import Journal
from transforms.raw.declared import raw_tables_of
from transforms.raw.ingest import Batch, ingest

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DEFINITIONS = """
from refrain import Count, EventSource, Last, WindowedTable, service
from refrain.compliance.rule import Breach, Rule

orders = EventSource(
    "orders",
    columns={"customer_id": "String", "gender": "String", "note": "String", "email": "String", "cents": "Int64"},
    key=("customer_id",),
    personal=("email",),
    sensitive=("gender",),
    retention="400d",
)
parts = EventSource("parts", columns={"part_id": "String", "city": "String"}, key=("part_id",))
buyer = WindowedTable(
    "buyer", "Orders of a customer", orders, ("customer_id",), ("7d",),
    {"orders": Count(), "gender": Last("gender")},
)
SERVICES = (service("counted_v1", "Orders", "buyer: orders_7d"), service("traits_v1", "Traits", "buyer: gender_7d"))


def few_columns(facts):
    for name, table in facts.tables.items():
        if len(table.columns) > 6:
            yield Breach(name, f"it has {len(table.columns)} columns", f"divide {name}")


RULE = Rule("few_columns", "Tables have few columns.", few_columns, level="warn")
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Home:
    folder = tmp_path / "shop"
    folder.mkdir()
    module = f"shop_{abs(hash(request.node.name)) % 10**9}"
    (folder / "refrain.toml").write_text(f'name = "shop"\ndefinitions = ["{module}"]\n')
    (folder / f"{module}.py").write_text(DEFINITIONS)
    monkeypatch.setenv("REFRAIN_PROJECT", str(folder))
    monkeypatch.setenv("REFRAIN_HOME", str(folder / "data"))
    monkeypatch.setenv(clock.NOW, NOW.isoformat())
    return Home(folder / "data", project_folder=folder)


def breaches(report: Report, rule: str) -> list[str]:
    return [each.breach.subject for each in report.judgements if each.rule.name == rule and each.level != "off"]


def policy(home: Home, text: str) -> None:
    (Path(str(home.project_folder)) / "compliance.toml").write_text(text)


def test_what_is_bundled_keeps_every_rule(tmp_path: Path) -> None:
    report = check(Home(tmp_path / "home"), NOW)
    assert report.judgements == () and report.is_kept and len(report.rules) >= 12


def test_marks_are_inherited_through_the_lineage() -> None:
    contract = Contract(Project())
    lineage = declared_lineage(contract)
    marks = Marks.of(raw_tables_of(contract))
    sensitive = marks.inherited(lineage, "sensitive")
    assert sensitive[Node("feature", "user_profile:gender")] == Node("column", "users.gender")
    assert Node("service", "user_segment_v1") in sensitive
    assert not any(node.name.startswith(("user_profile:plan", "user_listening:")) for node in sensitive)
    personal = marks.inherited(lineage, "personal")
    assert personal[Node("feature", "user_listening:plays_7d")] == Node("column", "plays.user_id")
    assert Node("feature", "user_profile:plan") in personal and Node("view", "user_profile") in personal
    assert not any(node.name.split(":")[0] in ("track_catalogue", "host_health") for node in personal)
    assert {"client_ip", "user_id"} <= marks.keys and "track_id" not in marks.keys


def test_definitions_are_judged(home: Home) -> None:
    report = check(home, NOW)
    assert breaches(report, "sensitive_purpose") == ["traits_v1"]
    assert breaches(report, "columns_marked") == []  # parts has nobody in it
    assert breaches(report, "few_columns") == ["orders"]
    assert not report.is_kept and [each.rule.name for each in report.of_level("warn")] == ["few_columns"]
    with (Path(str(home.project_folder)) / "refrain.toml").open("a") as file:
        file.write('[retention]\norders = "forever"\n')
    assert breaches(check(home, NOW, only=["retention_set"]), "retention_set") == ["orders"]


def test_a_column_about_people_without_a_mark(home: Home) -> None:
    (module,) = Path(str(home.project_folder)).glob("shop_*.py")
    module.write_text(DEFINITIONS.replace('    personal=("email",),\n', "").replace("shop", "shop"))
    report = check(home, NOW, only=["columns_marked"])
    assert breaches(report, "columns_marked") == ["orders.email"]


def test_rows_that_should_have_gone_and_ids_that_tell(home: Home) -> None:
    rows = {"customer_id": ["c1", "ann@example.org", "+44 20 7946 0958"], "event_timestamp": [NOW - timedelta(403)] * 3}
    ingest(home, "test", [Batch("orders", pl.DataFrame(rows))])
    assert breaches(check(home, NOW, only=["retention_done"]), "retention_done") == ["orders"]
    assert not breaches(check(home, NOW - timedelta(days=2), only=["retention_done"]), "retention_done")
    found = check(home, NOW, only=["keys_pseudonymous"]).judgements
    assert [each.breach.problem for each in found] == [
        "1 ids look like e-mail addresses",
        "1 ids look like phone numbers",
    ]


def test_erasures_and_sets_of_the_forgotten(home: Home) -> None:
    Journal.start(home, "customer_id", ["c1", "c2"], NOW)
    Forgotten(b"").with_person("customer_id", "c1").save(home)
    for name, id_ in (("with", "c1"), ("without", "c2")):
        (home.training_sets / name).mkdir(parents=True)
        pl.DataFrame({"customer_id": [id_]}).write_parquet(home.training_sets / name / "data.parquet")
    report = check(home, NOW)
    assert breaches(report, "erasures_finished") == ["erasure"] and breaches(report, "sets_without_forgotten") == [
        "with"
    ]
    assert "c1" not in "\n".join(as_text(report))


def test_documents_of_models_and_the_audit_log(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home.bundles("churn") / "1"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    home.keys.parent.mkdir(parents=True)
    home.keys.write_text("{}")
    report = check(home, NOW)
    for rule in ("model_owned", "model_described", "model_reviewed"):
        assert breaches(report, rule) == ["churn"], rule
    assert breaches(report, "audit_kept") == ["audit_log", "audit_log"]
    (home.audit_log / "date=2026-06-01").mkdir(parents=True)
    monkeypatch.setenv("REFRAIN_AUDIT", "required")
    with (Path(str(home.project_folder)) / "refrain.toml").open("a") as file:
        file.write('[owners]\n"*" = "Ann"\n')
    report = check(home, NOW)
    assert not breaches(report, "audit_kept") and not breaches(report, "model_owned")


WAIVER = '[[waivers]]\nrule = "sensitive_purpose"\nsubject = "traits_v1"\nreason = "a study"\nuntil = 2026-06-01\n'


def test_exemptions_let_pass_until_they_end(home: Home) -> None:
    policy(home, WAIVER + '[rules.few_columns]\nlevel = "error"\n')
    report = check(home, NOW)
    (exempt,) = report.of_level("off")
    assert exempt.breach.subject == "traits_v1" and exempt.reason == "a study"
    assert [each.rule.name for each in report.of_level("error")] == ["few_columns"]
    report = check(home, NOW + timedelta(days=1))
    assert {each.rule.name for each in report.of_level("error")} == {
        "exemptions_valid",
        "few_columns",
        "sensitive_purpose",
    }
    (expired,) = [each for each in report.judgements if each.rule.name == "exemptions_valid"]
    assert "line 1 of" in expired.breach.next_command
    policy(home, '[rules.sensitive_purpose]\nlevel = "off"\nreason = "later"\nuntil = 2027-01-01\n')
    assert check(home, NOW).is_kept


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[rules\n", "TOML in .*line 1"),
        ('[rules.few_columns]\nlevel = "error"\n[rules.few_columns]\nlevel = "warn"\n', "TOML in .*line 3"),
        ("[extra]\n", "'extra' on line 1"),
        ('\n[rules.retention_sett]\nlevel = "error"\n', r"'retention_sett' on line 2.*write 'retention_set'"),
        ('[rules.few_columns]\nlevel = "loud"\n', "'loud' on line 1"),
        ('[rules.retention_set]\nlevel = "warn"\n', "a reason.*on line 1"),
        ('[rules.retention_set]\nlevel = "off"\nreason = "x"\nuntil = "soon"\n', "until as a day.*line 1"),
        ('[rules.retention_set]\nlevels = "off"\n', "'levels' on line 1"),
        (WAIVER.replace("traits_v1", "traits_v2"), r"'traits_v2' on line 1.*write 'traits_v1'"),
        (WAIVER + WAIVER, "a second one, besides that on line 1 on line 6"),
        (WAIVER.replace('reason = "a study"\n', ""), "a reason.*on line 1"),
        ('[[waivers]]\nrule = "retention_set"\n', "a rule and a subject"),
        ("waivers = 3\n", "line 1"),
        ("rules = 3\n", "line 1"),
    ],
)
def test_a_policy_that_is_wrong_is_named_with_its_line(text: str, message: str, home: Home) -> None:
    policy(home, text)
    with pytest.raises(InputError, match=message):
        check(home, NOW, only=["retention_set"])


def test_a_mark_of_a_column_that_is_not_there(home: Home) -> None:
    from refrain import EventSource

    with pytest.raises(InputError, match="the mark of 'age'"):
        EventSource("visits", columns={"user_id": "String"}, personal=("age",))


def test_the_command_and_its_exit_codes(home: Home, tmp_path: Path) -> None:
    runner, out = CliRunner(), tmp_path / "comply.xml"
    result = runner.invoke(app, ["comply", "--format", "junit", "--out", str(out)])
    assert result.exit_code == 1 and "sensitive_purpose: traits_v1" in result.output
    suite = ElementTree.parse(out).getroot()
    assert suite.get("failures") == "1" and int(str(suite.get("tests"))) == len(rules_of(home))
    result = runner.invoke(app, ["comply", "--format", "json", "--rule", "retention_set"])
    assert result.exit_code == 0 and json.loads(result.output)["kept"] is True
    policy(home, "[rules")
    for words in (["comply"], ["comply", "--policy", "nowhere.toml"], ["comply", "--rule", "none"]):
        result = runner.invoke(app, words)
        assert result.exit_code == 2 and "Next" in result.output, words
    policy(home, "")
    result = runner.invoke(app, ["comply", "--marks"])
    assert "orders.gender" in result.output and "service traits_v1 of orders.gender" in result.output
    assert "few_columns" in runner.invoke(app, ["comply", "--rules"]).output
    assert os.environ["REFRAIN_PROJECT"]


def test_signs_that_xml_has_not_are_replaced(home: Home) -> None:
    (module,) = Path(str(home.project_folder)).glob("shop_*.py")
    module.write_text(DEFINITIONS.replace("it has {", "it has \\x1b {"))
    assert ElementTree.fromstring(as_junit(check(home, NOW, only=["few_columns"]))) is not None
