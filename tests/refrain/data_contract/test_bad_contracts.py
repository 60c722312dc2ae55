"""Files that are no contract, or contradict what is declared: an error with the place, and the next command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from feature_repo.errors import InputError
from feature_repo.home import Home
from refrain.cli import app
from refrain.data_contract.check import check
from tests.refrain.data_contract.conftest import column
from transforms.data_contracts import safe_yaml
from transforms.data_contracts.parse import read_contract

Agreed = Callable[..., Path]

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [{', '.join(['*' + chr(97 + level)] * 9)}]\n" for level in range(9)
)

TEXTS = {
    "malformed": ("schema: [", "in line "),
    "empty": ("", "an empty file"),
    "only a comment": ("# nothing\n", "an empty document"),
    "a list": ("- a\n", "not a mapping"),
    "a name twice": ("kind: DataContract\nkind: DataContract\n", "'kind' stands twice in line 2"),
    "a bomb of aliases": (BOMB, "anchor or alias"),
    "a tag": ("id: !!python/object/apply:os.system ['true']\n", "the tag"),
    "a tag of another kind": ("id: !secret x\n", "the tag"),
    "two documents": ("a: 1\n---\nb: 2\n", "several documents"),
    "deep": ("[" * 200 + "]" * 200, "levels"),
    "a name that is a number": ("1: a\n", "is not a text"),
    "a day that is none": ("id: 2026-02-31\n", "day"),
    "large": ("a: " + "x" * 10_000_000, "10.0 MB"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_that_is_no_yaml_of_plain_values(tmp_path: Path, name: str) -> None:
    text, expected = TEXTS[name]
    path = tmp_path / "plays.odcs.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="YAML document") as error:
        read_contract(path)
    assert expected in error.value.found
    assert "refrain contract write plays" in error.value.next_command


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "plays.odcs.yaml").write_bytes(b"kind: \xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        read_contract(tmp_path / "plays.odcs.yaml")
    with pytest.raises(InputError, match="No such file"):
        read_contract(tmp_path / "users.odcs.yaml")
    (tmp_path / "folder.odcs.yaml").mkdir()
    with pytest.raises(InputError, match="Is a directory"):
        read_contract(tmp_path / "folder.odcs.yaml")


def _table(contract: dict[str, Any]) -> dict[str, Any]:
    return contract["schema"][0]  # type: ignore[no-any-return]


EDITS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a future version": (lambda one: one.update(apiVersion="v9.0.0"), "v3.1.0"),
    "no version": (lambda one: one.pop("apiVersion"), "v3.1.0"),
    "another kind": (lambda one: one.update(kind="Pod"), "kind"),
    "no id": (lambda one: one.pop("id"), "id as a text"),
    "a number as version": (lambda one: one.update(version=1.0), "version as a text"),
    "an unknown status": (lambda one: one.update(status="alive"), "status"),
    "a name of no standard": (lambda one: one.update(shcema=[]), "only names of ODCS"),
    "no schema": (lambda one: one.pop("schema"), "a schema of one object"),
    "another table": (lambda one: _table(one).update(name="users"), "'plays'"),
    "two tables": (lambda one: one["schema"].append({"name": "users"}), "a schema of one object"),
    "a column that is not there": (lambda one: _table(one)["properties"].append({"name": "mood"}), "'mood'"),
    "a column without a name": (lambda one: _table(one)["properties"].append({}), "columns with a name"),
    "a column twice": (lambda one: _table(one)["properties"].append({"name": "user_id"}), "'user_id' twice"),
    "another type": (lambda one: column(one, "user_id").update(logicalType="integer", logicalTypeOptions={}), "string"),
    "an unknown type": (lambda one: column(one, "user_id").update(logicalType="text"), "logicalType of user_id"),
    "a flag that is none": (lambda one: column(one, "user_id").update(required="yes please"), "true or false"),
    "a misspelt flag": (lambda one: column(one, "user_id").update(requierd=True), "'requierd'"),
    "a limit that is none": (
        lambda one: column(one, "ms_played")["logicalTypeOptions"].update(maximum="many"),
        "maximum of ms_played",
    ),
    "a limit that is infinite": (
        lambda one: column(one, "ms_played")["logicalTypeOptions"].update(maximum=float("inf")),
        "maximum of ms_played",
    ),
    "a pattern of numbers": (
        lambda one: column(one, "ms_played").update(
            quality=[{"metric": "invalidValues", "mustBe": 0, "arguments": {"pattern": "x"}}]
        ),
        "a pattern of texts",
    ),
    "a broken pattern": (
        lambda one: column(one, "device").update(logicalTypeOptions={"pattern": "("}),
        "regular expression",
    ),
    "a metric that is not there": (
        lambda one: _table(one).update(quality=[{"metric": "beauty", "mustBe": 1}]),
        "metric of quality",
    ),
    "a metric without a comparison": (
        lambda one: _table(one).update(quality=[{"metric": "rowCount"}]),
        "one of mustBe",
    ),
    "two comparisons": (
        lambda one: _table(one).update(quality=[{"metric": "rowCount", "mustBe": 1, "mustNotBe": 2}]),
        "mustNotBe in",
    ),
    "limits the wrong way round": (
        lambda one: _table(one).update(quality=[{"metric": "rowCount", "mustBeBetween": [2, 1]}]),
        "the smaller first",
    ),
    "a rule of a column that is not there": (
        lambda one: _table(one).update(
            quality=[{"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["mood"]}}]
        ),
        "'mood'",
    ),
    "an unknown check": (
        lambda one: _table(one).update(
            quality=[{"type": "custom", "engine": "refrain", "implementation": {"check": "beauty"}}]
        ),
        "'beauty'",
    ),
    "a check with a wrong setting": (
        lambda one: _table(one).update(
            quality=[{"type": "custom", "engine": "refrain", "implementation": {"check": "volume", "days": -1}}]
        ),
        "days of volume",
    ),
    "an unknown unit": (
        lambda one: one.update(slaProperties=[{"property": "freshness", "value": 1, "unit": "moons"}]),
        "unit of freshness",
    ),
    "a freshness of texts": (
        lambda one: one.update(slaProperties=[{"property": "freshness", "value": 1, "element": "user_id"}]),
        "a column of times",
    ),
    "a freshness beyond all time": (
        lambda one: one.update(slaProperties=[{"property": "freshness", "value": 1e300}]),
        "million years",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_contract_that_contradicts_itself_or_the_table(home: Home, agreed: Agreed, name: str) -> None:
    edit, expected = EDITS[name]
    path = agreed(edit)
    with pytest.raises(InputError) as error:
        check(home)
    assert expected in str(error.value)
    assert str(path) in error.value.found
    assert error.value.next_command.startswith("correct ")


def test_contracts_of_tables_that_are_not_there(home: Home, agreed: Agreed) -> None:
    path = agreed()
    path.rename(path.with_name("plajs.odcs.yaml"))
    with pytest.raises(InputError, match=r"plajs\.odcs\.yaml"):
        check(home)
    path.with_name("plajs.odcs.yaml").rename(path.parent.parent / "plays.odcs.yaml")
    with pytest.raises(InputError, match="contracts in") as error:
        check(home)
    assert error.value.next_command.startswith("mv ")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check"], "refrain contract write"),
        (["check", "plays"], "refrain contract write plays"),
        (["check", "plajs"], "refrain contract write"),
        (["write", "plajs"], "'plajs'"),
        (["show", "plajs"], "'plajs'"),
    ],
)
def test_what_has_no_contract(home: Home, arguments: list[str], expected: str) -> None:
    result = CliRunner().invoke(app, ["contract", *arguments])
    assert result.exit_code == 1
    assert expected in " ".join(result.output.split())


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet="ab:-[]{}&*!|>'\"\n #,1", max_size=60))
def test_any_text_is_a_mapping_or_an_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.odcs.yaml"
    path.write_text(text)
    try:
        document = safe_yaml.read(path, next_command="x")
    except InputError:
        return
    assert isinstance(document, dict)
