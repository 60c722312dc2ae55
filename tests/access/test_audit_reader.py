"""The audit log answers who read what of whom, and an export holds what the log says of one person alone."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from feature_repo import clock
from feature_repo.audit_lines import MAX_KEYS, whose, write_act
from feature_repo.errors import InputError
from feature_repo.home import Home
from refrain.audit_log.reader import Selection, parse_since, reads_of, select
from refrain.cli import app
from refrain.person.own_lines import own_part
from refrain.person.scan import PersonKey
from training.datasets import TrainingSet, training_set

USER = PersonKey("user_id", frozenset({"user_id", "friend_id"}))


def test_reads_of_a_person_are_found_in_lines_and_in_spines_of_saved_sets(home: Home) -> None:
    started = datetime.now(UTC)
    ids = [f"m{number:05}" for number in range(MAX_KEYS + 5)]

    def pull(users: list[str]) -> TrainingSet:
        moments = [clock.now() - timedelta(seconds=1)] * len(users)
        return training_set("listener_v1", {"user_id": users, "event_timestamp": moments}, home=home)

    pull(ids).save()
    pull(ids[1:]).save()
    pull(ids[2:]).to_polars()  # whose spine nobody has
    write_act(home, "features", service="listener_v1", **whose({"user_id": [ids[0], "other"]}))
    write_act(home, "features", service="listener_v1", **whose({"user_id": ids}))
    write_act(home, "session begun")

    def reads(person: str) -> list[tuple[str, bool]]:
        return [(entry["act"], entry["certain"]) for entry in reads_of(home, person, "user_id", Selection(started))]

    certain, perhaps = ("training set", True), ("training set", False)
    assert reads(ids[0]) == [certain, perhaps, ("features", True), ("features", True)]
    assert reads(ids[1]) == [certain, certain, perhaps, ("features", True)]
    assert reads(ids[-1]) == [certain, certain, perhaps, ("features", False)]  # the line does not name it
    assert reads("nobody") == [perhaps, ("features", False)]
    assert len(select(home, Selection(started))) == 6
    assert select(home, Selection(started, caller="nobody")) == []


def test_commands_show_what_is_asked_for(home: Home) -> None:
    write_act(home, "features", role="analyst", service="a_v1", **whose({"user_id": ["mira"]}))
    runner = CliRunner()
    shown = runner.invoke(app, ["audit", "who-read", "mira", "--json"])
    assert shown.exit_code == 0, shown.output
    (entry,) = (entry for entry in map(json.loads, shown.stdout.splitlines()) if entry["certain"])
    assert (entry["service"], entry["role"], entry["certain"]) == ("a_v1", "analyst", True)
    caller = entry["key"]
    assert "a_v1" in runner.invoke(app, ["audit", "by", caller, "--act", "features"]).stdout
    assert "1 reads of mira" in runner.invoke(app, ["audit", "who-read", "mira"]).stdout
    assert runner.invoke(app, ["audit", "by", "rf_nobody"]).stdout == ""
    assert (
        len(runner.invoke(app, ["audit", "show", "--role", "analyst", "--last", "1", "--json"]).stdout.split("\n")) == 2
    )
    assert runner.invoke(app, ["audit", "show", "--since", "yesterday"]).exit_code == 1


def test_ages_and_moments() -> None:
    now = datetime(2026, 2, 1, tzinfo=UTC)
    assert [parse_since(text, now) for text in ("", "1d", "36h")] == [
        None,
        now - timedelta(days=1),
        now - timedelta(hours=36),
    ]
    with pytest.raises(InputError):
        parse_since("7 days", now)


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (
            {"act": "features", "keys": {"user_id": ["a", "b", "c"], "track_id": ["t"]}},
            {"act": "features", "keys": {"user_id": ["b"], "track_id": ["t"]}, "others_left_out": 2},
        ),
        (
            {
                "keys": {"user_id": ["a", "b"]},
                "values": {"v": [1, 2]},
                "events": {"w": [3, None]},
                "request": {"d": "x"},
            },
            {
                "keys": {"user_id": ["b"]},
                "values": {"v": [2]},
                "events": {"w": [None]},
                "request": {"d": "x"},
                "others_left_out": 1,
            },
        ),
        ({"deep": [{"friend_id": ["a", "b"]}]}, {"deep": [{"friend_id": ["b"]}], "others_left_out": 1}),
        ({"keys": {"user_id": ["b"]}, "values": {"v": [2]}}, {"keys": {"user_id": ["b"]}, "values": {"v": [2]}}),
        (["b"], ["b"]),
    ],
)
def test_an_export_has_no_ids_and_values_of_others(line: object, left: object) -> None:
    assert json.loads(own_part(json.dumps(line).encode(), USER, "b")) == left


def test_a_line_that_is_no_json_stays() -> None:
    assert own_part(b"b was here", USER, "b") == b"b was here"
