"""A new project: what is proposed for a table, and that it runs."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from feature_repo.contract import Contract
from feature_repo.errors import InputError
from feature_repo.project import Project
from refrain.cli import app
from refrain.scaffold.files import contents, write
from refrain.scaffold.proposal import identifier, propose

TIMES = [datetime(2026, 1, 1) + timedelta(minutes=number) for number in range(4)]
COLUMNS = {
    "ints": [1, 2, None, 4],
    "texts": ["a", "b", None, "a"],
    "flags": [True, None, False, True],
    "whole floats": [1.0, 2.0, None, -3.0],
    "Prices €": [1.25, 2.5, None, 9.99],
    "thirds": [1 / 3, 2 / 3, None, 4 / 3],
    "class": ["x", "y", "z", "z"],
    "2nd": [1, 1, 1, 1],
    "days": [TIMES[0].date()] * 4,
    "midnights": [TIMES[0], TIMES[0] + timedelta(days=1), None, TIMES[0]],
    "lists": [[1], [2], [], None],
}


def contract_in(folder: Path, files: dict[str, str]) -> Contract:
    write(folder, files)
    return Contract(Project.load(folder))


@settings(deadline=None, max_examples=40)  # the first example imports Feast
@given(st.sets(st.sampled_from(sorted(COLUMNS))), st.booleans(), st.sampled_from(["", "flags", "ints", "thirds"]))
def test_whatever_a_table_has_the_definitions_are_valid(
    tmp_path_factory: pytest.TempPathFactory, names: set[str], is_number_key: bool, label: str
) -> None:
    key = "number" if is_number_key else "user"
    columns = {key: [7, 7, 8, 9] if is_number_key else ["u", "u", "v", "w"], "at": TIMES}
    columns |= {name: COLUMNS[name] for name in sorted({*names, *([label] if label else [])})}
    folder = tmp_path_factory.mktemp("p")
    project = "p" + folder.name.replace("-", "_")  # a module is imported once, so each needs a name of its own
    proposal = propose(project, "t.csv", pl.DataFrame(columns), events="visits", keys=[key], time="at", label=label)
    contract = contract_in(folder, contents(proposal))
    table = contract.windowed[f"{key}_visits"]
    assert table.keys == (key,)
    assert {"lists"} & names == set(proposal.left_out)
    assert all(column.dtype == "Date" for column in proposal.columns if column.source in ("days", "midnights"))
    assert set(contract.services) == {"visits_v1"}
    assert set(contract.feature_tables) == {f"{key}_visits"}
    assert bool(label) == (f"{project}_models.py" in contents(proposal))


def test_rows_of_one_key_and_time_are_told_apart_by_another_column() -> None:
    rows = pl.DataFrame({"user": ["u", "u"], "at": TIMES[:1] * 2, "item": ["a", "b"], "n": [1, 2]})
    assert propose("p", "t", rows, events="e", keys=["user"], time="at", label="").identity == ("user", "item")
    assert propose("p", "t", rows[:1], events="e", keys=["user"], time="at", label="").identity == ("user",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keys": ["who"]}, "a column of t for --key"),
        ({"time": "when"}, "a column of t for --time"),
        ({"label": "why"}, "a column of t for --label"),
        ({"label": "texts"}, "which holds texts"),
        ({"label": "lists"}, "is no type of an event's column"),
    ],
)
def test_columns_that_are_not_there_or_do_not_fit(options: dict, message: str) -> None:
    rows = pl.DataFrame({"user": ["u"] * 4, "at": TIMES, **COLUMNS})
    with pytest.raises(InputError, match=message):
        propose("p", "t", rows, **{"events": "e", "keys": ["user"], "time": "at", "label": ""} | options)


def test_files_of_a_person_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "corner"
    first = CliRunner().invoke(app, ["init", str(folder)])
    assert first.exit_code == 0, first.output
    assert "refrain import table orders.csv --as orders" in first.stdout
    changed = "# changed\n" + (folder / "corner_features.py").read_text()
    (folder / "corner_features.py").write_text(changed)
    (folder / ".gitignore").unlink()
    again = CliRunner().invoke(app, ["init", str(folder)])
    assert (folder / "corner_features.py").read_text() == changed
    assert f"kept  {folder}/corner_features.py" in again.stdout
    assert f"wrote {folder}/.gitignore" in again.stdout


@pytest.mark.parametrize(
    ("options", "found"),
    [([], "the events orders"), (["--as", "orders", "--label", "pages"], "the models orders_returned")],
)
def test_a_project_of_other_events_is_left_alone(tmp_path: Path, options: list[str], found: str) -> None:
    folder = tmp_path / f"kiosk_{len(options)}"
    CliRunner().invoke(app, ["init", str(folder)])
    visits = tmp_path / "visits.csv"
    visits.write_text("visitor,at,pages\nv,2026-01-05,3\nw,2026-01-06,4\n")
    before = {path: path.read_text() for path in folder.iterdir()}
    words = ["init", str(folder), "--events", str(visits), "--key", "visitor", "--time", "at", *options]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert found in result.stderr
    assert f"refrain init {folder}_{'orders' if options else 'visits'} --events {visits}" in result.stderr
    assert "import table" not in result.output
    assert {path: path.read_text() for path in folder.iterdir() if path.is_file()} == before


def test_a_column_that_is_not_there_leads_to_a_command_with_all_options() -> None:
    rows = pl.DataFrame({"user": ["u"] * 4, "at": TIMES, "label": [1, 0, 1, 0]})
    with pytest.raises(InputError) as caught:
        propose("p", "t.csv", rows, events="t", keys=["user"], time="event_timestamp", label="label")
    assert caught.value.next_command == "refrain init p --events t.csv --key user --time at --label label"


def test_names_become_identifiers() -> None:
    assert [identifier(text) for text in ("Customer ID", "2nd", "class", "Ünï", "")] == [
        *("customer_id", "c_2nd", "c_class", "uni", "column")
    ]


def test_a_table_of_a_german_excel_is_understood(tmp_path: Path) -> None:
    table = tmp_path / "rides.csv"
    lines = [f"{7 + number};S1;{number},{number}5;31.12.2025 2{number}:59" for number in range(4)]
    table.write_text("\n".join(["rider;station;price;started", *lines]) + "\n", encoding="cp1252")
    folder = tmp_path / "excelrides"
    words = ["init", str(folder), "--events", str(table), "--key", "rider", "--time", "started"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert 'time_format = "%d.%m.%Y %H:%M"' in (folder / "refrain.toml").read_text()
    rides = Contract(Project.load(folder)).events["rides"]
    assert (rides.columns["price"], rides.resolution["price"]) == ("Float64", 0.01)
    assert rides.key == ("rider",)


def test_floats_that_happen_to_be_whole_stay_floats() -> None:
    rows = pl.DataFrame({"user": ["u", "v"], "at": TIMES[:2], "kwh": [1.0, 2.0]})
    column = propose("p", "t", rows, events="e", keys=["user"], time="at", label="").column("kwh")
    assert (column.dtype, column.resolution) == ("Float64", 0.01)
