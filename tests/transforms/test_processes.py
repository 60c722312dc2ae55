"""Work in processes: in order, and whoever kills a process is told apart from the others."""

import os

import pytest

from transforms.processes import FEWEST, Died, Processes


def square(number: int) -> int:
    return number * number


def square_or_die(number: int) -> int:
    if number in (3, 11):
        os._exit(1)
    return number * number


def process(_: int) -> int:
    return os.getpid()


def test_results_come_in_order_from_other_processes() -> None:
    with Processes(2) as processes:
        assert list(processes.each(square, range(20))) == [number * number for number in range(20)]
        assert os.getpid() not in set(processes.each(process, range(20)))


def test_a_few_things_are_done_here() -> None:
    with Processes(2) as processes:
        assert set(processes.each(process, range(FEWEST - 1))) == {os.getpid()}


def test_what_kills_its_process_is_named_and_the_rest_is_done() -> None:
    with Processes(2) as processes:
        found = list(processes.each(square_or_die, range(16)))
    assert [place for place, one in enumerate(found) if isinstance(one, Died)] == [3, 11]
    assert [one for one in found if not isinstance(one, Died)] == [n * n for n in range(16) if n not in (3, 11)]


def test_an_error_is_the_callers() -> None:
    with Processes(2) as processes, pytest.raises(TypeError):
        list(processes.each(square, ["a"] * 10))  # type: ignore[list-item]
