"""A budget is never overspent, whoever asks and however often; a ledger that was changed or put back is noticed."""

import errno
import json
import math
import multiprocessing
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo.clock import NOW
from feature_repo.errors import InputError
from feature_repo.home import Home
from refrain.backup.contents import single_files
from training.private.differential import ledger_lines, zcdp
from training.private.differential.budget import Budget
from training.private.differential.ledger import BudgetSpent, Ledger, budgets_of, people_of
from training.private.differential.ledger_lines import LedgerDamaged
from training.private.differential.releases import Releases

ASKERS = 64


def with_budget(home: Home, *, period: str = "lifetime", epsilon: float = 1.0, purpose: str = "analytics") -> Ledger:
    ledger = Ledger.open(home)
    ledger.set(Budget(purpose, period, epsilon, 1e-6, people=10_000))
    return ledger


def spends(ledger: Ledger) -> list[float]:
    return [entry["rho"] for entry in ledger.entries() if entry["kind"] == "spend"]


def _ask(home: Home, request: str, rho: float, results: "multiprocessing.SimpleQueue[str]") -> None:
    try:
        answer = Releases.open(home).once(
            request, lambda: os.urandom(8), purpose="analytics", rho=rho, what="plays of a day"
        )
        results.put(answer.hex())
    except BudgetSpent:
        results.put("refused")


def race(home: Home, requests: list[str], rho: float) -> list[str]:
    """What each of some processes that ask at once is answered."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    askers = [context.Process(target=_ask, args=(home, request, rho, results)) for request in requests]
    for asker in askers:
        asker.start()
    answers = [results.get() for _ in askers]
    for asker in askers:
        asker.join()
    return answers


def test_of_many_processes_none_spends_what_is_not_there(home: Home) -> None:
    ledger = with_budget(home)
    most = zcdp.rho(1.0, 5e-7)
    answers = race(home, [f"day {number}" for number in range(ASKERS)], most / 10.5)
    assert answers.count("refused") == ASKERS - 10
    assert len(spends(ledger)) == 10
    assert sum(spends(ledger)) <= most


def test_of_many_processes_with_one_id_one_pays_and_all_read_the_same(home: Home) -> None:
    ledger = with_budget(home)
    answers = race(home, ["the day"] * 16, zcdp.rho(1.0, 5e-7))
    assert len(set(answers)) == 1
    assert answers[0] != "refused"
    assert len(spends(ledger)) == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(1e-6, 0.01), min_size=1, max_size=12))
def test_what_was_granted_never_exceeds_the_budget(home: Home, prices: list[float]) -> None:
    shutil.rmtree(home.root, ignore_errors=True)
    ledger, total = with_budget(home), 0.0
    most = zcdp.rho(1.0, 5e-7)
    for price in prices:
        try:
            ledger.spend("analytics", price, "a count")
            total += price
        except BudgetSpent:
            assert total + price > most * (1 - 1e-12)
    assert total <= most * (1 + 1e-12)
    assert spends(ledger) == [price for price in spends(ledger) if price in prices]


def test_what_is_left_is_said_and_nothing_is_spent(home: Home) -> None:
    ledger = with_budget(home)
    ledger.spend("analytics", 0.02, "a count")
    with pytest.raises(BudgetSpent, match=r"ρ = 0\.002\d+ and .*ε 0\.93 of 1 is spent.*one of ρ = 0\.02"):
        ledger.spend("analytics", 0.02, "another count")
    with pytest.raises(BudgetSpent, match="a privacy budget for training; found none"):
        ledger.spend("training", 0.001, "a model")
    assert spends(ledger) == [0.02]
    ledger.spend("analytics", 0.002, "a smaller count")


def test_failures_of_thresholds_have_a_budget_of_their_own(home: Home) -> None:
    ledger = with_budget(home)
    ledger.spend("analytics", 0.001, "keys", failure=4e-7)
    with pytest.raises(BudgetSpent, match="δ = 1e-07 for thresholds"):
        ledger.spend("analytics", 0.001, "more keys", failure=2e-7)


def test_a_month_begins_with_a_whole_budget_and_a_lifetime_does_not(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = with_budget(home, period="month")
    with_budget(home, epsilon=1.7)
    monkeypatch.setenv(NOW, "2026-01-31T23:59:59")
    first = Ledger.open(Home(home.root, "other"))
    first.set(Budget("analytics", "month", 1.0, 1e-6))
    first.set(Budget("all", "lifetime", 1.5, 1e-6))
    first.spend("analytics", 0.02, "January")
    with pytest.raises(BudgetSpent, match="of 2026-01"):
        first.spend("analytics", 0.02, "January again")
    monkeypatch.setenv(NOW, "2026-02-01T00:00:00")
    first.spend("analytics", 0.02, "February")
    monkeypatch.setenv(NOW, "2026-01-15T00:00:00")  # the clock is put back: it stays February
    with pytest.raises(BudgetSpent, match="of 2026-02"):
        first.spend("analytics", 0.005, "January by a wrong clock")
    monkeypatch.setenv(NOW, "2026-03-01T00:00:00")
    with pytest.raises(BudgetSpent, match="budget of all for ever"):
        first.spend("analytics", 0.02, "March")
    assert spends(ledger) == []  # of another tenant


def test_a_new_budget_holds_from_then_on(home: Home) -> None:
    ledger = with_budget(home)
    ledger.spend("analytics", 0.02, "a count")
    with_budget(home, epsilon=0.5)
    with pytest.raises(BudgetSpent, match=r"ρ = 0 and"):
        ledger.spend("analytics", 1e-9, "a count")
    with_budget(home, epsilon=2.0)
    ledger.spend("analytics", 0.02, "a count")
    assert [budget.epsilon for budget in budgets_of(ledger.entries())] == [2.0]


@pytest.mark.parametrize("rho", [0.0, -1.0, math.nan, math.inf])
def test_a_cost_that_is_none(home: Home, rho: float) -> None:
    with pytest.raises(InputError, match="cost ρ above 0"):
        with_budget(home).spend("analytics", rho, "a count")


@pytest.mark.parametrize(
    ("purpose", "period", "epsilon", "delta", "people"),
    [
        ("analytics", "week", 1.0, 1e-6, 0),
        ("analytics", "month", 0.0, 1e-6, 0),
        ("analytics", "month", math.inf, 1e-6, 0),
        ("analytics", "month", math.nan, 1e-6, 0),
        ("analytics", "month", 1.0, 1e-3, 1_000),
        ("analytics", "month", 1.0, 0.0, 0),
        ("fun", "month", 1.0, 1e-6, 0),
    ],
)
def test_a_budget_that_is_none(
    home: Home, purpose: str, period: str, epsilon: float, delta: float, people: int
) -> None:
    with pytest.raises(InputError):
        Ledger.open(home).set(Budget(purpose, period, epsilon, delta, people))
    assert Ledger.open(home).entries() == []


def test_the_same_release_costs_nothing_and_is_never_drawn_again(home: Home) -> None:
    ledger, releases = with_budget(home), Releases.open(home)
    buy = partial(releases.once, purpose="analytics", rho=0.01, what="plays")
    first = buy("plays 2026-01-01", lambda: os.urandom(8))
    assert buy("plays 2026-01-01", lambda: os.urandom(8)) == first
    assert releases.kept("plays 2026-01-01") == first
    assert releases.kept("plays 2026-01-02") is None
    with pytest.raises(InputError, match="another rho"):
        buy("plays 2026-01-01", lambda: b"", rho=0.001)
    assert spends(ledger) == [0.01]


def test_of_two_answers_to_one_id_the_first_is_kept(home: Home) -> None:
    with_budget(home)
    releases = Releases.open(home)
    buy = partial(releases.once, purpose="analytics", rho=0.01, what="plays")

    def slower() -> bytes:
        assert buy("plays", lambda: b"first") == b"first"
        return b"second"

    assert buy("plays", slower) == b"first"


def test_who_is_killed_after_the_payment_gets_the_answer_for_it(home: Home) -> None:
    ledger, releases = with_budget(home), Releases.open(home)
    buy = partial(releases.once, purpose="analytics", rho=zcdp.rho(1.0, 5e-7), what="plays")

    def killed() -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        buy("plays", killed)
    assert buy("plays", lambda: b"noisy") == b"noisy"
    assert len(spends(ledger)) == 1


def test_an_answer_that_was_changed_or_lost_is_never_made_anew(home: Home) -> None:
    with_budget(home)
    releases = Releases.open(home)
    buy = partial(releases.once, purpose="analytics", rho=0.01, what="plays")
    buy("plays", lambda: b"noisy")
    releases.path("plays").write_bytes(b"other")
    with pytest.raises(LedgerDamaged, match="found a changed one"):
        buy("plays", lambda: b"again")
    releases.path("plays").unlink()
    with pytest.raises(LedgerDamaged, match="found none"):
        buy("plays", lambda: b"again")


def _cut(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def _change(path: Path, before: bytes, after: bytes) -> None:
    content = path.read_bytes()
    assert before in content
    path.write_bytes(content.replace(before, after))


def _take_from_another_tenant(ledger: Ledger) -> None:
    other = Ledger.open(Home(ledger.home.root, "b"))
    other.set(Budget("analytics", "month", 1.0, 1e-6))
    shutil.copy(other.file.path, ledger.file.path)


DAMAGES: dict[str, Callable[[Ledger], object]] = {
    "a line less": lambda ledger: _cut(ledger.file.path),
    "gone": lambda ledger: ledger.file.path.unlink(),
    "a smaller spend": lambda ledger: _change(ledger.file.path, b'"rho": 0.01', b'"rho": 0.00'),
    "the last line": lambda ledger: _change(ledger.file.path, b'"what": "two"', b'"what": "too"'),
    "no JSON": lambda ledger: _change(ledger.file.path, b'{"number": 2', b'"number": 2'),
    "a list": lambda ledger: ledger.file.path.write_bytes(b"[]\n"),
    "another tenant's": _take_from_another_tenant,
    "the mark gone": lambda ledger: ledger.file.mark.unlink(),
    "the mark damaged": lambda ledger: ledger.file.mark.write_bytes(b"\xff"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_ledger_that_was_changed_is_noticed_and_spends_nothing(
    home: Home, damage: Callable[[Ledger], object]
) -> None:
    ledger = with_budget(home)
    ledger.spend("analytics", 0.01, "one")
    ledger.spend("analytics", 0.005, "two")
    damage(ledger)
    content = ledger.file.path.read_bytes() if ledger.file.path.exists() else b""
    with pytest.raises(LedgerDamaged, match="refrain privacy budget log"):
        ledger.spend("analytics", 0.001, "three")
    assert (ledger.file.path.read_bytes() if ledger.file.path.exists() else b"") == content


def test_an_older_copy_of_the_whole_folder_is_noticed_by_a_mark_elsewhere(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def roll_back(ledger: Ledger) -> None:
        shutil.copytree(home.root, tmp_path / "copy")
        ledger.spend("analytics", 0.01, "after the copy")
        shutil.rmtree(home.root)
        shutil.move(tmp_path / "copy", home.root)

    roll_back(with_budget(home))  # without a mark elsewhere: not noticed, as the page says
    assert spends(Ledger.open(home)) == []
    shutil.rmtree(home.root)
    monkeypatch.setenv(ledger_lines.MARK, str(tmp_path / "marks"))
    ledger = with_budget(home)
    roll_back(ledger)
    with pytest.raises(LedgerDamaged, match="an older copy"):
        ledger.entries()


def test_a_line_that_was_not_finished_counts_for_nothing(home: Home) -> None:
    ledger = with_budget(home)
    ledger.spend("analytics", 0.01, "one")
    whole = ledger.file.path.read_bytes()
    ledger.file.path.write_bytes(whole + b'{"number": 3, "kind": "sp')
    ledger.spend("analytics", 0.005, "two")
    assert spends(ledger) == [0.01, 0.005]
    assert ledger.file.path.read_bytes().startswith(whole)


@pytest.mark.parametrize("lines_before", [0, 2])
def test_who_is_killed_before_the_mark_has_spent(
    home: Home, monkeypatch: pytest.MonkeyPatch, lines_before: int
) -> None:
    ledger = with_budget(home) if lines_before else Ledger.open(home)
    for number in range(1, lines_before):
        ledger.spend("analytics", 0.001, f"number {number}")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ledger_lines, "write_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            ledger.set(Budget("analytics", "lifetime", 1.0, 1e-6))
    assert len(ledger.entries()) == lines_before + 1
    ledger.spend("analytics", 0.01, "after")
    assert spends(ledger)[-1] == 0.01


def test_without_room_for_the_mark_no_second_line_is_written(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger.open(home)

    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(ledger_lines, "write_whole", full)
        for _ in range(3):
            with pytest.raises(OSError, match="no space"):
                ledger.set(Budget("analytics", "lifetime", 1.0, 1e-6))
    assert len(ledger.entries()) == 1
    ledger.spend("analytics", 0.01, "after")
    assert spends(ledger) == [0.01]


def test_reading_a_ledger_writes_nothing(home: Home) -> None:
    ledger = with_budget(home)
    before = {path: path.stat().st_mtime_ns for path in home.root.rglob("*")}
    ledger.entries()
    assert {path: path.stat().st_mtime_ns for path in home.root.rglob("*")} == before
    assert [path.name for path in ledger.file.path.parent.iterdir()] == [ledger.file.path.name]


def test_people_are_those_of_the_budgets_that_apply(home: Home) -> None:
    ledger = with_budget(home, purpose="analytics")
    assert people_of(ledger.entries(), "analytics") == 10_000
    assert people_of(ledger.entries(), "personalisation") is None
    ledger.set(Budget("all", "lifetime", 1.0, 1e-6, people=50_000))
    assert {people_of(ledger.entries(), purpose) for purpose in ("analytics", "personalisation")} == {50_000}


def test_a_backup_has_the_ledger_its_mark_and_the_answers(home: Home) -> None:
    ledger = with_budget(home)
    Releases.open(home).once("plays", lambda: b"noisy", purpose="analytics", rho=0.001, what="plays")
    assert {ledger.file.path, ledger.file.mark, Releases.open(home).path("plays")} == set(single_files(home))


def test_files_are_the_owners_alone_and_hold_no_secret(home: Home) -> None:
    ledger = with_budget(home)
    Releases.open(home).once("plays", lambda: b"noisy", purpose="analytics", rho=0.001, what="plays")
    for path in (ledger.file.path, ledger.file.mark, Releases.open(home).path("plays")):
        assert path.stat().st_mode & 0o077 == 0
    first = json.loads(ledger.file.path.read_bytes().splitlines()[0])
    assert {"number", "at", "kind", "purpose", "epsilon", "delta", "by", "before"} <= set(first)
