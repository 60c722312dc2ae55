"""A coordinator and its silos in one process, each in a thread: to try a run out, and to measure it."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from feature_repo.command_line import Progress, silent
from feature_repo.errors import RefrainError
from feature_repo.home import Home
from training.private.federated.agreement import Agreement
from training.private.federated.answer import procedure_of
from training.private.federated.channel import CoordinatorChannel, SiloChannel
from training.private.federated.coordinator import CoordinatorRun
from training.private.federated.rounds import Rounds
from training.private.federated.silo import Limits, Outcome, take_part
from training.private.federated.statistic import SiloData


@dataclass(frozen=True)
class Together:
    """What came of a run.

    Attributes:
        run: the coordinator's run, with who took part.
        result: the result of the procedure.
        outcomes: silo → what it has at the end.
        problems: silo → why it ended before.
    """

    run: CoordinatorRun
    result: bytes
    outcomes: Mapping[str, Outcome]
    problems: Mapping[str, RefrainError]


def coordinate(
    terms: Agreement, channel: CoordinatorChannel, rounds: Rounds, progress: Progress = silent
) -> tuple[CoordinatorRun, bytes]:
    """Runs the coordinator's program to its end; the silos learn of an error.

    Raises:
        InputError: a round went wrong each time.
    """
    run = CoordinatorRun(terms, channel, rounds, progress)
    try:
        result = procedure_of(terms.procedure).coordinate(run)
    except RefrainError as error:
        run.stop(str(error))
        raise
    run.end(result)
    return run, result


def run_together(
    terms: Agreement,
    home: Home,
    coordinator: CoordinatorChannel,
    silos: Mapping[str, tuple[SiloData, SiloChannel]],
    limits: Limits | None = None,
) -> Together:
    """Runs a coordinator and all silos, and waits for all of them.

    Args:
        terms: the terms of the run.
        home: data folder of the notes of everybody.
        coordinator: the coordinator's channel.
        silos: name → data and channel.
        limits: what the silos take part in.

    Raises:
        InputError: a round went wrong each time.
    """
    rounds = Rounds(home, terms.name)
    terms = rounds.agree(terms)
    outcomes: dict[str, Outcome] = {}
    problems: dict[str, RefrainError] = {}
    with ThreadPoolExecutor(len(silos)) as threads:
        tasks = {
            name: threads.submit(take_part, data, channel, home, name, limits)
            for name, (data, channel) in silos.items()
        }
        run, result = coordinate(terms, coordinator, rounds)
        for name, task in tasks.items():
            try:
                outcomes[name] = task.result()
            except RefrainError as error:
                problems[name] = error
    return Together(run, result, outcomes, problems)
