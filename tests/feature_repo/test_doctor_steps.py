"""The doctor names the next step in every half-way state of a new project, and no fault."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo import clock
from feature_repo.doctor import examine, lines
from feature_repo.home import Home
from feature_repo.materialize import materialize
from feature_repo.project import PROJECT, Project
from feature_repo.stores import redis_server
from refrain.scaffold.example import FILE, example
from refrain.scaffold.files import contents, write
from tests.worlds import apply
from transforms.batch.build import build
from transforms.raw.own_tables.request import TableRequest
from transforms.raw.own_tables.run import import_file


@pytest.fixture
def kiosk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A new project, as ``init`` writes it."""
    proposal, table = example("halfway")
    write(tmp_path / "halfway", {**contents(proposal), FILE: table})
    monkeypatch.setenv(PROJECT, str(tmp_path / "halfway"))
    home = Home(tmp_path / "halfway" / "data", project_folder=tmp_path / "halfway")
    yield home
    redis_server.stop(home)


def next_commands(home: Home) -> list[str]:
    examination = examine(home, clock.now(), sample=20)
    assert not examination.faults, list(lines(examination))
    last = [f"next   {step.next_command}  ({step.where}: {step.found})" for step in examination.steps]
    assert list(lines(examination))[-len(last) :] == last or not last
    return [step.next_command for step in examination.steps]


def test_each_state_of_a_new_project_has_its_next_steps(kiosk: Home) -> None:
    folder = kiosk.project_folder
    assert folder is not None
    assert next_commands(kiosk) == ["refrain import table FILE --as orders"]
    section = Project.load(folder).imports["orders"]
    import_file(kiosk, TableRequest("orders", folder / FILE, section=section), show=lambda line: None)
    assert next_commands(kiosk) == ["refrain build", "refrain apply"]
    apply(kiosk)
    assert next_commands(kiosk) == ["refrain build"]
    build(kiosk)
    assert next_commands(kiosk) == ["refrain model run all", "refrain materialize"]
    bundle = kiosk.bundles("orders_returned")
    (bundle / "1").mkdir(parents=True)
    assert next_commands(kiosk) == ["refrain model promote orders_returned", "refrain materialize"]
    (bundle / "aliases.json").write_text(json.dumps({"champion": 1}))
    assert next_commands(kiosk) == ["refrain materialize"]
    materialize(kiosk, None, say=lambda text: None)
    assert next_commands(kiosk) == []
