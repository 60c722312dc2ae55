"""What `refrain contract write` writes is a contract by the standard's own schema and model, and the data fulfil it."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from typer.testing import CliRunner

from feature_repo.home import Home
from refrain.cli import app
from refrain.data_contract.check import check
from refrain.data_contract.report import violations
from refrain.data_contract.tables import contract_tables
from refrain.data_contract.write import text, write
from transforms.data_contracts import names
from transforms.data_contracts.binding import folder_of, paths
from transforms.data_contracts.parse import read_contract


@pytest.fixture(scope="module")
def standard() -> type:
    """The standard's model of a contract."""
    odcs = pytest.importorskip("open_data_contract_standard.model", reason="no open-data-contract-standard: make setup")
    return odcs.OpenDataContractStandard  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def schema(standard: type) -> dict[str, Any]:
    """The standard's JSON schema."""
    text = files("open_data_contract_standard").joinpath("schema.json").read_text()
    return json.loads(text)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def project_of_world(world: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The small world as the data of a project with a folder of its own, in which every contract is written."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "refrain.toml").write_text('name = "refrain"\nextends = ["music"]\n[owners]\nplays = "Ann"\n')
    home = Home(world.root, project_folder=folder)
    for table in contract_tables(home):
        assert write(home, table, folder_of(home))
    return home


def test_every_contract_is_one_by_the_standard(project_of_world: Home, standard: type, schema: dict[str, Any]) -> None:
    validator = jsonschema_rs.validator_for(schema)
    contracts = paths(project_of_world)
    assert len(contracts) > 60
    for kind, path in contracts:
        document = yaml.safe_load(path.read_text())
        assert list(validator.iter_errors(document)) == [], path
        model = standard.from_file(str(path))  # type: ignore[attr-defined]
        assert model.apiVersion == "v3.1.0"
        assert model.schema_[0].physicalName == f"{kind}/{model.name}"


def test_the_schema_finds_what_is_not_the_standard(project_of_world: Home, schema: dict[str, Any]) -> None:
    """The validator of the test above is able to fail."""
    validator = jsonschema_rs.validator_for(schema)
    document = yaml.safe_load(text(project_of_world, contract_tables(project_of_world, ["plays"])[0]))
    document["schema"][0]["properties"][0]["logicalTypeOptions"] = {"minimal": 1}
    document["shcema"] = []
    errors = " ".join(str(error) for error in validator.iter_errors(document))
    assert "minimal" in errors and "shcema" in errors


def test_the_names_that_are_accepted_are_those_of_the_standard(schema: dict[str, Any]) -> None:
    parts = schema["$defs"]
    assert set(schema["properties"]) == names.CONTRACT
    element = set(parts["SchemaElement"]["properties"])
    assert set(parts["SchemaObject"]["properties"]) | element == names.OBJECT
    assert set(parts["SchemaBaseProperty"]["properties"]) | element | {"properties", "items"} == names.PROPERTY
    assert set(parts["ServiceLevelAgreementProperty"]["properties"]) == names.SLA
    assert set(parts["DataQualityLibrary"]["properties"]["metric"]["enum"]) == set(names.METRICS)
    operators = [one["required"][0] for one in parts["DataQualityOperators"]["oneOf"]]
    assert operators == list(names.OPERATORS)
    quality = set(parts["DataQuality"]["properties"]) | {*operators, "metric", "rule", "arguments"}
    assert quality | {"query", "engine", "implementation"} == names.QUALITY
    assert set(parts["SchemaBaseProperty"]["properties"]["logicalType"]["enum"]) == set(names.LOGICAL_TYPES)


def test_the_world_fulfils_what_is_written(project_of_world: Home) -> None:
    results = check(project_of_world)
    assert violations(results) == 0
    assert {result.status for result in results} <= {"ok", "not checked"}
    checked = {result.table for result in results if result.check == "keys" and result.status == "ok"}
    assert {"plays", "users", "user_listening", "track_catalogue"} <= checked


def test_a_contract_says_what_is_declared(project_of_world: Home) -> None:
    contracts = {path.name: read_contract(path) for _, path in paths(project_of_world)}
    played = {column.name: column for column in contracts["plays.odcs.yaml"].columns}
    assert set(contracts["plays.odcs.yaml"].key) == {"user_id", "track_id", "event_timestamp"}
    assert played["ms_played"].options["minimum"] == 0
    assert played["user_id"].required and not played["device"].required
    listening = contracts["user_listening.odcs.yaml"]
    assert listening.key == ["user_id", "event_timestamp", "created_timestamp"]
    document = yaml.safe_load((folder_of(project_of_world) / "raw" / "plays.odcs.yaml").read_text())
    assert document["team"] == {"name": "Ann"}


def test_a_contract_that_is_there_is_kept(home: Home, tmp_path: Path) -> None:
    runner = CliRunner()
    for expected in ("2 contracts written", "0 contracts written to", "2 contracts written"):
        again = ["--again"] if expected == "2 contracts written" and (home.root / "contracts").exists() else []
        result = runner.invoke(app, ["contract", "write", "plays", "user_listening", *again])
        assert result.exit_code == 0 and expected in result.output
    path = home.root / "contracts" / "raw" / "plays.odcs.yaml"
    path.write_text(path.read_text().replace("status: active", "status: draft"))
    shown = runner.invoke(app, ["contract", "show", "plays"])
    assert "status: draft" in shown.output
    assert "user_id" in runner.invoke(app, ["contract", "show", "users"]).output
    result = runner.invoke(app, ["contract", "write", "plays", "--out", str(tmp_path / "other")])
    assert result.exit_code == 0 and (tmp_path / "other" / "raw" / "plays.odcs.yaml").is_file()
