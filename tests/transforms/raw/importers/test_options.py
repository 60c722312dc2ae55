"""Options of formats: declared with the format, handed to its reader, refused elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import demo
from feature_repo.contract import Contract
from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms import __main__ as command
from transforms.raw.importers.format import USER, Format
from transforms.raw.ingest import Batch

taken: list[tuple[str | None, bool]] = []


def _read(path: Path, *, user: str | None = None, private: bool = False) -> Iterator[Batch]:
    taken.append((user, private))
    return iter(())


DIARY = Format("diary", "a diary", _read, options=USER | {"private": "private entries too"})
LEDGER = Format("ledger", "a ledger", lambda path: iter(()))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.setenv("REFRAIN_HOME", str(tmp_path))
    monkeypatch.setattr(Contract, "find", lambda *_: {"diary": DIARY, "ledger": LEDGER})
    taken.clear()
    return CliRunner()


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("diary x", (None, False)),
        ("diary x --user mira", ("mira", False)),
        ("--user mira --private diary x", ("mira", True)),
        ("diary --user=mira x", ("mira", False)),
    ],
)
def test_the_command_hands_options_to_the_reader(run: CliRunner, words: str, options: tuple[str | None, bool]) -> None:
    run.invoke(command.app, ["import", *words.split()])
    assert taken == [options]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ledger x --user mira", "Found     --user"),
        ("table x --as plays --user mira", "Found     --user"),
        ("diary x --user", "--user: expected one argument"),
        ("diary x --usr mira", "No such option: --usr"),
    ],
)
def test_what_a_format_does_not_take_is_refused(run: CliRunner, words: str, found: str) -> None:
    result = run.invoke(command.app, ["import", *words.split()])
    assert result.exit_code != 0
    assert found in result.stderr
    assert not taken


def test_help_lists_the_options_with_their_formats(run: CliRunner) -> None:
    text = " ".join(run.invoke(command.app, ["import", "--help"]).stdout.split())
    assert "--private diary: private entries too" in text
    assert "--user TEXT diary: id of the listener" in text


def test_reading_refuses_unknown_options(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no options"):
        list(LEDGER.batches(tmp_path, Home(tmp_path), user="mira"))


def test_the_demo_says_whose_export_it_is_where_the_format_takes_it() -> None:
    assert demo.listener_option("spotify", "mira") == ["--user", "mira"]
    assert demo.listener_option("movielens", "ml:7") == demo.listener_option("spotify", None) == []
