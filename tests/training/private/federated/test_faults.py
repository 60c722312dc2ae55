"""What goes wrong ends in a typed error, in another attempt, or in a sum without the silo; nothing counts twice."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.training.private.federated.channels import Hall, Missing, Seat
from tests.training.private.federated.test_exact import CUTOFF, people, run, terms
from training.exact.kept import KeptSums
from training.private.federated.agreement import Agreement
from training.private.federated.answer import procedure_of
from training.private.federated.catalogue import Catalogue
from training.private.federated.coordinator import CoordinatorRun
from training.private.federated.rounds import Rounds, RoundTotal
from training.private.federated.silo import Limits, Memory, take_part
from training.private.federated.statistic import Scope, count_all, statistics
from training.private.federated.step import Step, name_of, name_of_attachment
from training.private.federated.together import run_together


def test_an_overflow_at_a_silo_ends_it_and_the_others_go_on(tmp_path: Path) -> None:
    data = people(5)
    broken = data["silo2"]
    weights = np.full(len(broken.plays.time), 1e12)
    data["silo2"] = replace(broken, plays=replace(broken.plays, weight=weights))
    result = run(terms(5, deadline_s=1.0, statistics=("daily_plays", "co_plays")), data, tmp_path, {"silo2": "sums"})
    assert isinstance(result.problems["silo2"], InputError)
    assert len(result.outcomes) == 4


def test_a_larger_union_is_found_by_a_larger_table(tmp_path: Path) -> None:
    data = people(3, tracks=400)
    result = run(terms(3, parameters={"capacity": 60}, statistics=("popularity",)), data, tmp_path, {})
    kinds = [name.split()[1] for name in result.run.participation]
    assert kinds == ["union"] * (kinds.count("union")) + ["sums"] and kinds.count("union") >= 2
    played = {data[name].plays.track_ids[track] for name in data for track in data[name].plays.before(CUTOFF).track}
    assert len(KeptSums.from_bytes(result.result).items) == len(played)


def test_a_round_that_fails_is_asked_again_and_then_never(tmp_path: Path) -> None:
    data = people(3)
    hall = Hall(list(data))
    hall.failures = {"-sums-": 2}
    seats = {name: (each, Seat(hall, name)) for name, each in data.items()}
    result = run_together(terms(3), Home(tmp_path / "a").ensure(), hall, seats)
    assert not result.problems
    assert set(result.outcomes["silo0"].answered) == {"0 union", "1 sums"}
    hall = Hall(list(data))
    hall.failures = {"-sums-": 3}
    seats = {name: (each, Seat(hall, name)) for name, each in data.items()}
    with pytest.raises(InputError, match="in 3 attempts"):
        run_together(terms(3), Home(tmp_path / "b").ensure(), hall, seats)


class Killed(Exception):
    """The coordinator's process is gone."""


class DyingHall(Hall):
    """A hall whose coordinator dies as it begins a round."""

    def collect(self, round_name: str, words: int, **rest: object) -> object:  # type: ignore[override]
        if "-sums-" in round_name:
            raise Killed
        return super().collect(round_name, words, **rest)  # type: ignore[arg-type]


def test_a_coordinator_that_was_killed_goes_on_with_the_next_round(tmp_path: Path) -> None:
    data, home = people(4), Home(tmp_path).ensure()
    agreed = terms(4, least_listeners=2)
    whole = run(replace(agreed), data, tmp_path / "whole", {})
    dying = DyingHall(list(data))
    seats = {name: (each, Seat(dying, name)) for name, each in data.items()}
    rounds = Rounds(home, "test")
    first = rounds.agree(agreed)
    with ThreadPoolExecutor(4) as threads:
        tasks = [threads.submit(take_part, each, seat, home, name) for name, (each, seat) in seats.items()]
        with pytest.raises(Killed):
            procedure_of("exact").coordinate(CoordinatorRun(first, dying, rounds))
        dying.__class__ = Hall  # the coordinator is there again, at the same place
        second = Rounds(home, "test").agree(replace(terms(4, least_listeners=2)))
        assert second == first
        again = CoordinatorRun(second, Later(dying), Rounds(home, "test"))
        result = procedure_of("exact").coordinate(again)
        again.end(result)
        outcomes = [task.result() for task in tasks]
    assert {outcome.result for outcome in outcomes} == {result}
    kept, expected = KeptSums.from_bytes(result), KeptSums.from_bytes(whole.result)
    assert kept.sums["popular"].sum() == expected.sums["popular"].sum()
    assert sorted(kept.sums["gram"].diagonal()) == sorted(expected.sums["gram"].diagonal())
    assert [name.split("-")[1] for name in dying.about if name.endswith("-0")] == ["0", "1"]


class Later:
    """A coordinator's channel after a restart: what it shows again may have other bytes, which nobody reads twice."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall

    def collect(self, *words: object, **rest: object) -> object:
        return self.hall.collect(*words, **rest)  # type: ignore[arg-type]

    def publish(self, name: str, content: bytes) -> None:
        with self.hall.changed:
            self.hall.published[name] = content
            self.hall.changed.notify_all()


def test_a_run_of_other_terms_does_not_go_on(tmp_path: Path) -> None:
    rounds = Rounds(Home(tmp_path).ensure(), "test")
    first = rounds.agree(terms(4))
    assert rounds.agree(terms(4)) == first
    with pytest.raises(InputError, match="was begun"):
        rounds.agree(terms(5))
    rounds.finish(b"sums")
    assert rounds.agree(terms(5)) != first
    for name in ("", "../up", ".hidden", "a/b"):
        with pytest.raises(InputError, match="a name of a run"):
            Rounds(Home(tmp_path), name)


def test_a_silo_that_comes_late_is_led_past_attempts_that_were_stopped(tmp_path: Path) -> None:
    hall, rounds = Hall([]), Rounds(Home(tmp_path).ensure(), "test")
    agreed = rounds.agree(terms(3))
    assert rounds.attempt(0) == 0  # and then it was killed
    with pytest.raises(InputError, match="in 3 attempts"):
        CoordinatorRun(agreed, hall, rounds).ask("people", 1)
    steps = [Step.from_bytes(hall.published[name_of(0, n)], 0, n, agreed.digest()) for n in range(3)]
    assert [step.is_open for step in steps] == [False, True, True]
    assert len({step.question for step in steps}) == 1


def test_a_sum_on_disk_is_that_of_its_question_alone(tmp_path: Path) -> None:
    rounds = Rounds(Home(tmp_path).ensure(), "test")
    rounds.agree(terms(3))
    total = RoundTotal(np.array([1, 2**64 - 1], np.uint64), ("a", "b"), ("c",))
    rounds.write(0, "question", total)
    copy = Rounds(Home(tmp_path), "test").read(0, "question")
    assert copy is not None and copy.words.tolist() == total.words.tolist()
    assert (copy.silos, copy.dropped) == (total.silos, total.dropped)
    assert rounds.read(0, "another question") is rounds.read(1, "question") is None


def test_a_damaged_round_is_asked_again(tmp_path: Path) -> None:
    rounds = Rounds(Home(tmp_path).ensure(), "test")
    rounds.agree(terms(3))
    assert rounds.read(0, "question") is None
    (rounds.folder / "round-0.npz").write_bytes(b"PK cut off")
    assert rounds.read(0, "question") is None


def test_a_silo_answers_no_second_question_under_one_number(tmp_path: Path) -> None:
    memory = Memory(Home(tmp_path).ensure(), "run", "silo")
    step, exact = Step(0, 0, "sums", "round-0", "terms"), procedure_of("exact")
    assert memory.note(step, exact)
    assert not memory.note(step, exact)  # a replay
    assert memory.note(replace(step, attempt=1, round="round-1"), exact)
    with pytest.raises(InputError, match="under the same number"):
        memory.note(replace(step, round="round-2", content={"without": "silo 3"}), exact)
    assert memory.note(replace(step, attempt=2, round="round-2"), exact)
    assert not memory.note(replace(step, attempt=3, round="round-3"), exact)
    assert not Memory(Home(tmp_path), "run", "silo").note(replace(step, round="round-1"), exact)  # after a restart


def test_a_silo_answers_what_its_procedure_asks_and_sums_once(tmp_path: Path) -> None:
    """The sums again, under another number and with other survivors, would show a silo's words by subtraction."""
    memory, exact = Memory(Home(tmp_path).ensure(), "run", "silo"), procedure_of("exact")
    for number, kind in enumerate(("union", "union", "listeners", "sums")):
        assert memory.note(Step(number, 0, kind, f"round-{number}", "terms"), exact)
    for number, kind in enumerate(("sums", "listeners", "vectors", "update"), 4):
        with pytest.raises(InputError, match="a step of the procedure exact"):
            memory.note(Step(number, 0, kind, f"round-{number}", "terms"), exact)
    assert memory.note(Step(3, 1, "sums", "round-3-1", "terms"), exact)  # another attempt


def test_a_silo_remembers_whom_it_counted(tmp_path: Path) -> None:
    memory, exact = Memory(Home(tmp_path).ensure(), "run", "silo"), procedure_of("exact")
    assert memory.erasures(3) == 3  # nothing was answered
    assert memory.note(Step(0, 0, "sums", "round-0", "terms"), exact, 1)
    assert memory.note(Step(0, 1, "sums", "round-1", "terms"), exact, 2)
    assert Memory(Home(tmp_path), "run", "silo").erasures(3) == 1


def test_a_result_that_is_shown_again_is_of_whom_was_counted(tmp_path: Path) -> None:
    """Who was erased after they were counted is in the sums, whenever the silo reads these."""
    data, agreed = people(3), terms(3, least_listeners=2)
    for erasures in (1, 4):
        hall = Hall(list(data))
        seats = {name: (replace(each, erasures=erasures), Seat(hall, name)) for name, each in data.items()}
        result = run_together(agreed, Home(tmp_path).ensure(), hall, seats)
        assert [each.erasures for each in result.outcomes.values()] == [1, 1, 1]


def test_a_run_has_one_coordinator_and_goes_on_the_next_day(tmp_path: Path) -> None:
    home = Home(tmp_path).ensure()
    rounds = Rounds(home, "test")
    agreed = rounds.agree(terms(3))
    again = Rounds(home, "test")
    with rounds.alone(), pytest.raises(InputError, match="one coordinator"), again.alone():
        pass
    with again.alone():
        assert again.terms() == agreed and not again.is_done


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"silos": "3"},
        {"silos": 2},
        {"threshold": 2},
        {"threshold": 9},
        {"cutoff": 1.5},
        {"cutoff": 2**62},
        {"cutoff": -(10**30)},
        {"deadline_s": -1.0},
        {"deadline_s": float("nan")},
        {"statistics": "co_plays"},
        {"statistics": ["co_plays", "co_plays"]},
        {"unknown": 1},
        {"parameters": []},
    ],
)
def test_terms_that_are_damaged_or_of_another_version_are_refused(changes: dict[str, object]) -> None:
    record = json.loads(terms(4).to_bytes())
    with pytest.raises(InputError):
        Agreement.from_bytes(json.dumps(record | changes).encode())
    for content in (b"", b"[]", b"null", b"\xff", b"[" * 100_000):
        with pytest.raises(InputError):
            Agreement.from_bytes(content)


def test_a_silo_refuses_terms_beyond_its_limits() -> None:
    Limits(3, frozenset({"co_plays"}), 5).check(terms(4, statistics=("co_plays",), least_listeners=5))
    for limits in (Limits(4), Limits(3, frozenset({"co_plays"})), Limits(3, None, 9)):
        with pytest.raises(InputError, match="sums of"):
            limits.check(terms(4))
    with pytest.raises(InputError, match="statistics of"):
        Limits().check(terms(4, statistics=("reading_minds",)))
    with pytest.raises(InputError, match="a procedure of"):
        Limits().check(replace(terms(4), procedure="sorcery"))


def test_messages_of_another_run_or_catalogue_are_refused() -> None:
    step = Step(1, 0, "sums", "round", "terms")
    assert Step.from_bytes(step.to_bytes(), 1, 0, "terms") == step
    for number, attempt, agreed in ((2, 0, "terms"), (1, 1, "terms"), (1, 0, "others")):
        with pytest.raises(InputError, match=f"step {number} of this run"):
            Step.from_bytes(step.to_bytes(), number, attempt, agreed)
    catalogue = Catalogue(("a", "b"), "run")
    assert Catalogue.from_bytes(catalogue.to_bytes(), catalogue.digest()) == replace(catalogue, items=("a", "b"))
    with pytest.raises(InputError, match="the catalogue with the digest"):
        Catalogue.from_bytes(catalogue.only(np.array([True, False])).to_bytes(), catalogue.digest())
    with pytest.raises(InputError, match="sorted items"):
        Catalogue(("b", "a"), "run")


@pytest.mark.parametrize(
    "parameters",
    [
        {"ease": {"magic": 1}},
        {"ease": "much"},
        {"days": "a week"},
        {"days": 10**9},
        {"popularity": {"days": []}},
        {"alpha": None},
    ],
)
def test_parameters_that_fit_no_statistic_end_in_a_typed_error(parameters: dict[str, object], tmp_path: Path) -> None:
    data = people(3)
    hall = Hall(list(data))
    agreed = terms(3, parameters=parameters)
    step = Step(0, 0, "sums", "round-0", agreed.digest(), Catalogue(("t1",), agreed.run).digest())
    hall.publish("agreement", agreed.to_bytes())
    hall.publish(name_of(0, 0), step.to_bytes())
    hall.publish(name_of_attachment(step.catalogue), Catalogue(("t1",), agreed.run).to_bytes())
    with pytest.raises(InputError):
        take_part(data["silo0"], Seat(hall, "silo0"), Home(tmp_path).ensure(), "silo0")
    assert not hall.rounds


@pytest.mark.parametrize("kind", ["union", "update", "newton", "vectors", "sums", "sorcery"])
def test_a_step_without_what_it_needs_ends_in_a_typed_error(kind: str, tmp_path: Path) -> None:
    data = people(3)
    hall = Hall(list(data))
    agreed = terms(3, parameters={"width": 3})
    hall.publish("agreement", agreed.to_bytes())
    hall.publish(name_of(0, 0), Step(0, 0, kind, "round-0", agreed.digest()).to_bytes())
    with pytest.raises(InputError):
        take_part(data["silo0"], Seat(hall, "silo0"), Home(tmp_path).ensure(), "silo0")


def test_nobody_has_anything_to_count(tmp_path: Path) -> None:
    data = {name: replace(each, plays=each.plays.before(0)) for name, each in people(3).items()}
    with pytest.raises(InputError, match="items with 1 listeners"):
        run(terms(3), data, tmp_path, {})


def test_every_statistic_counts_silos_without_people() -> None:
    names = ("co_plays", "follows", "popularity", "segments", "walks", "outcomes", "daily_plays", "terms", "ngrams")
    parameters = {"terms": ["a", "b"], "ngrams": [["a", "b"], ["b", "</s>"]], "order": 2, "width": 0}
    agreed = terms(3, statistics=names, parameters=parameters)
    empty = people(3)["silo0"]
    empty = replace(empty, plays=empty.plays.before(0), texts=())
    catalogue = Catalogue(tuple(empty.plays.track_ids), agreed.run)
    sums = count_all(empty, Scope(agreed, catalogue))
    assert sums.tables and not sums.digests()
    texts = count_all(replace(empty, texts=[["a", "b"], ["a"]]), Scope(agreed, catalogue))
    assert texts["texts with a term"].toarray().tolist() == [[2, 1]]
    assert texts["n-grams"].toarray().tolist() == [[1, 1]]
    assert {each.name for each in statistics(names)} == set(names)
    with pytest.raises(Missing):
        Seat(Hall([]), "nobody").fetch("nothing", 0.0)
