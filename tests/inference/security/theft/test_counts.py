"""Distinct questions in Redis: budgets, several processes at once, bounded memory, flags."""

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.packed.server import open_server
from inference.security.theft import counts
from inference.security.theft.counts import MONTH, WINDOW, Budget, QuestionCounts


@pytest.fixture(autouse=True)
def _no_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "load_address", lambda home: Address.from_env())


@pytest.fixture
def shared(home: Home) -> QuestionCounts:
    return QuestionCounts.open(home)


def texts(first: int, last: int) -> list[str]:
    return [f"q{number}" for number in range(first, last)]


def test_known_questions_are_free_and_refused_ones_do_not_count(shared: QuestionCounts) -> None:
    budget = [Budget("owner", "ann", 10)]
    assert shared.add("ann", "m", texts(0, 8), budget, {}).refused is None
    refused = shared.add("ann", "m", texts(8, 12), budget, {})
    assert refused.refused == budget[0]
    assert 0 < refused.wait_s <= 86_400
    assert shared.add("ann", "m", texts(0, 8) * 5, budget, {}).refused is None
    assert shared.add("ann", "m", texts(8, 10), budget, {}).refused is None  # the refused ones did not use it up
    assert shared.add("ann", "m", ["q10"], budget, {}).refused is not None
    lowered = [Budget("owner", "ann", 4)]
    assert shared.add("ann", "m", texts(0, 8), lowered, {}).refused is None
    assert shared.add("ann", "m", ["q10"], lowered, {}).refused is not None
    assert shared.add("ann", "other model", ["q10"], budget, {}).refused is None
    assert shared.add("bob", "m", ["q10"], [Budget("owner", "bob", 10)], {}).refused is None


def test_a_request_of_a_thousand_rows_counts_a_thousand(shared: QuestionCounts) -> None:
    budget = [Budget("key", "1", 1_500)]
    assert shared.add("ann", "m", texts(0, 1_000), budget, {}).total == 1_000
    assert shared.add("ann", "m", texts(1_000, 2_000), budget, {}).refused == budget[0]
    assert shared.add("ann", "m", texts(0, 5_000), [Budget("owner", "ann", 4_000)], {}).refused is not None


def test_new_keys_of_an_owner_share_the_budget_and_tenants_do_not(home: Home) -> None:
    default_counts, acme_counts = (
        QuestionCounts.open(home),
        QuestionCounts(open_server(home, Address.from_env(), 1.0), "shop_acme"),
    )
    for key in range(5):
        budgets = [Budget("key", str(key), 10), Budget("owner", "ann", 12)]
        answer = default_counts.add("ann", "m", texts(key * 4, key * 4 + 4), budgets, {})
        assert (answer.refused is None) == (key < 3)
    assert acme_counts.add("ann", "m", texts(0, 4), [Budget("owner", "ann", 12)], {}).refused is None


def test_processes_share_one_budget_exactly(home: Home) -> None:
    accepted: list[int] = []

    def ask(process: int) -> None:
        own = QuestionCounts.open(home)
        budget = [Budget("owner", "ann", 60), Budget("tenant", "", 1_000, MONTH)]
        answers = [own.add("ann", "m", [f"{process} {number}"], budget, {}) for number in range(40)]
        accepted.append(sum(answer.refused is None for answer in answers))

    threads = [threading.Thread(target=ask, args=(process,)) for process in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(accepted) == 60


@given(st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=12), max_size=12), st.integers(1, 50))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_budgets_are_those_of_a_set(shared: QuestionCounts, requests: list[list[int]], most: int) -> None:
    owner, known = f"{requests} {most}", set[int]()
    for request in requests:
        answer = shared.add(owner, "m", [str(number) for number in request], [Budget("owner", owner, most)], {})
        after = known | set(request)
        is_refused = len(after) > most and len(after) > len(known)
        assert (answer.refused is not None) == is_refused
        known = known if is_refused else after


def test_memory_is_bounded_and_everything_expires(home: Home, shared: QuestionCounts) -> None:
    budget = [Budget("owner", "ann", 10_000_000)]
    shared.add("ann", "m", texts(0, 60_000), budget, {"successor": 1})
    shared.add("ann", "m", texts(0, 3), budget, {"successor": 1})
    shared.flag("ann", "m", "successor")
    server = open_server(home, Address.from_env(), 1.0)
    names = [name for batch in server.scan(b"*:theft}:*") for name in batch if b":salt:" not in name]
    assert len(names) >= 4
    for name in names:
        assert 0 < server.send([("TTL", name)], [name])[0] <= 2 * MONTH, name
        assert server.send([("MEMORY", "USAGE", name)], [name])[0] < 16_000, name


def test_large_budgets_are_counted_by_a_sketch(shared: QuestionCounts) -> None:
    most = 12_000
    budget = [Budget("owner", "ann", most)]
    accepted = sum(
        shared.add("ann", "m", texts(start, start + 500), budget, {}).refused is None for start in range(0, 15_000, 500)
    )
    assert accepted * 500 == pytest.approx(most, rel=0.06)
    assert shared.add("ann", "m", texts(0, 500), budget, {}).refused is None


def test_a_window_ends_and_marks_are_counted(shared: QuestionCounts) -> None:
    first = shared.add("ann", "m", texts(0, 100), [], {"far": 7})
    assert (first.total, first.marks) == (100, {"asked": 100, "far": 7})
    assert first.distinct == pytest.approx(100, abs=5)
    last = shared.add("ann", "m", texts(0, WINDOW - 100), [], {"far": 1})
    assert last.total == WINDOW
    assert last.marks is not None
    assert last.marks["far"] == 8
    assert last.distinct == pytest.approx(WINDOW - 100, rel=0.05)
    assert shared.add("ann", "m", ["q"], [], {}).total == 1


def test_an_owner_is_flagged_once_and_released(shared: QuestionCounts) -> None:
    assert shared.flag("ann: b%c {d}", "m", "far")
    assert not shared.flag("ann: b%c {d}", "m", "far")
    assert shared.flags() == {("ann: b%c {d}", "m"): "far"}
    assert shared.add("ann: b%c {d}", "m", ["q"], [], {}, refuses_flagged=True).held_back
    assert not shared.add("ann: b%c {d}", "m", ["q"], [], {}).held_back
    assert not shared.add("bob", "m", ["q"], [], {}, refuses_flagged=True).held_back
    assert shared.release("ann: b%c {d}") == 3
    assert not shared.add("ann: b%c {d}", "m", ["q"], [], {}, refuses_flagged=True).held_back


def test_hashes_need_the_salt(home: Home, shared: QuestionCounts) -> None:
    other = QuestionCounts(open_server(home, Address.from_env(), 1.0), "other")
    assert shared.hashes(["q", "q"])[0] == QuestionCounts.open(home).hashes(["q"])[0]
    assert shared.hashes(["q"]) != other.hashes(["q"])
    assert len(shared.hashes(["\ud800", ""])) == 2
