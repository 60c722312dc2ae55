"""A silo of a run: reads the terms, checks them against its own limits, and answers every step with masked words.

It answers a step in a few attempts at the most, and never two different questions under one number: whoever could ask
the same of many sets of silos could take one sum from the other.
"""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.encryption.stored_files import read_stored, write_stored
from feature_repo.errors import InputError, RefrainError
from feature_repo.home import Home
from training.private.federated.agreement import FEWEST, Agreement
from training.private.federated.answer import Procedure, answer_of, procedure_of
from training.private.federated.catalogue import Catalogue
from training.private.federated.channel import SiloChannel
from training.private.federated.coordinator import ATTEMPTS
from training.private.federated.rounds import FOLDER, SCOPE
from training.private.federated.statistic import Scope, SiloData, statistics
from training.private.federated.step import AGREEMENT, END, RESULT, STOPPED, Step, digest, name_of, name_of_attachment

WAIT_S, POLL_S = 60.0, 0.5
"""Seconds that a silo waits for the terms, and for one message before it looks for another."""
ANSWERED = f"{FOLDER}_answered"
"""Folder of what silos have answered, which no name of a run leads to."""
PHASES = 6
"""Phases of a round, each of which may take until the deadline, and one more for the coordinator's own work."""


@dataclass(frozen=True)
class Limits:
    """What a silo takes part in.

    Attributes:
        least_silos: fewest silos of a sum.
        statistics: statistics that may be counted; None for all.
        least_listeners: fewest listeners of an item of the catalogue, in the terms.
    """

    least_silos: int = FEWEST
    statistics: frozenset[str] | None = None
    least_listeners: int = 1

    def check(self, terms: Agreement) -> None:
        """Checks the terms of a run.

        Raises:
            InputError: the silo does not take part in such a run.
        """
        surplus = set() if self.statistics is None else set(terms.statistics) - self.statistics
        if terms.threshold < self.least_silos or terms.least_listeners < self.least_listeners or surplus:
            raise InputError(
                expected=f"sums of {self.least_silos} silos or more, of items with {self.least_listeners} listeners "
                f"or more, of {'any statistics' if self.statistics is None else sorted(self.statistics)}",
                found=f"terms with {terms.threshold} silos, {terms.least_listeners} listeners, {terms.statistics}",
                next_command="refrain model federate join --help  (other limits, or another coordinator)",
            )
        procedure_of(terms.procedure)
        statistics(terms.statistics)


class Memory:
    """Which questions a silo has answered, on disk.

    Args:
        home: the data folder of the silo.
        run: identifier of the run.
        silo: name of the silo.
    """

    def __init__(self, home: Home, run: str, silo: str) -> None:
        self._home = home
        self._path: Path = home.pipeline / ANSWERED / f"{digest(f'{run} {silo}'.encode())[:32]}.json"

    def note(self, step: Step, procedure: Procedure, erasures: int = 0) -> bool:
        """Notes that a step is about to be answered; False if it must not be, as it was in this or in many rounds.

        Args:
            step: the step.
            procedure: the procedure of the terms.
            erasures: number of erasures that were done when the people who are counted were read.

        Raises:
            InputError: another question had the same number, or the procedure has no further step of this kind.
        """
        record = self._read()
        question, rounds, _, erasures = record.get(str(step.number), [step.question, [], step.kind, erasures])
        _check_kind(step, procedure, [kind for number, (_, _, kind, _) in record.items() if number != str(step.number)])
        if question != step.question:
            raise InputError(
                expected=f"the question of step {step.number} that was answered before",
                found="another one, under the same number",
                next_command="ask the coordinator why; nothing was answered",
            )
        if step.round in rounds or len(rounds) >= ATTEMPTS:
            return False
        record[str(step.number)] = [question, [*rounds, step.round], step.kind, erasures]
        write_stored(self._path, json.dumps(record).encode(), self._home, SCOPE)
        return True

    def erasures(self, erasures: int) -> int:
        """Number of erasures without whose people all answers of the run were; as given if there was no answer."""
        return min([erasures, *(before for _, _, _, before in self._read().values())])

    def _read(self) -> dict[str, list[Any]]:
        return dict(json.loads(read_stored(self._path, self._home))) if self._path.is_file() else {}


def _check_kind(step: Step, procedure: Procedure, before: Sequence[str]) -> None:
    most = procedure.answers.get(step.kind, 0)
    if most is not None and before.count(step.kind) >= most:
        raise InputError(
            expected=f"a step of the procedure {procedure.name}: {', '.join(procedure.answers)}, in its number",
            found=f"{step.kind[:100]!r} after {', '.join(before) or 'nothing'}",
            next_command="ask the coordinator why; nothing was answered",
        )


@dataclass(frozen=True)
class Outcome:
    """What a silo has at the end of a run.

    Attributes:
        agreement: the terms.
        result: the result of the procedure.
        silos: number of silos in the last sum.
        answered: kinds of the steps that it answered.
        missed: kind of each step that went on without it → why.
        erasures: number of erasures without whose people it answered.
    """

    agreement: Agreement
    result: bytes
    silos: int
    answered: tuple[str, ...]
    missed: dict[str, str]
    erasures: int


def take_part(
    data: SiloData,
    channel: SiloChannel,
    home: Home,
    name: str,
    limits: Limits | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Takes part in a run to its end.

    Args:
        data: the silo's people.
        channel: the silo's side of the transport.
        home: the data folder of the silo.
        name: name of the silo.
        limits: what it takes part in.
        progress: callback for the progress.

    Raises:
        InputError: the terms are not acceptable, a message is damaged, or the own data cannot be counted.
        RefrainError: the coordinator is silent.
    """
    terms = Agreement.from_bytes(channel.fetch(AGREEMENT, WAIT_S))
    (limits or Limits()).check(terms)
    memory, procedure = Memory(home, terms.run, name), procedure_of(terms.procedure)
    answered: list[str] = []
    missed: dict[str, str] = {}
    step = _next(channel, terms, None)
    while step.kind != END:
        progress(step.number, step.number + 1, step.kind)
        if step.is_open and memory.note(step, procedure, data.erasures):
            words = _respond(data, _scope(channel, terms, step), step, _attachment(channel, step))
            label = f"{step.number} {step.kind}"
            try:
                channel.submit(step.round, words, about={"question": step.question})
                answered.append(label)
                missed.pop(label, None)
            except RefrainError as error:  # it went on without this silo, which may answer the next
                missed[label] = str(error)
        step = _next(channel, terms, step)
    result = channel.fetch(RESULT, terms.deadline_s)
    silos = step.content.get("silos")
    if digest(result) != step.content.get("result") or not isinstance(silos, int):
        raise InputError(
            expected="the result of this run",
            found="bytes with another digest, or of no number of silos",
            next_command="refrain model federate join URL  (again)",
        )
    return Outcome(terms, result, silos, tuple(answered), missed, memory.erasures(data.erasures))


def _respond(data: SiloData, scope: Scope, step: Step, attachment: bytes) -> np.ndarray:
    """The words of a step. What the coordinator sent may not fit the answer, such as parameters of another type.

    Raises:
        InputError: the step cannot be answered, or the own data cannot be counted.
    """
    try:
        return answer_of(step.kind).respond(data, scope, step, attachment)
    except (ValueError, LookupError, TypeError, ArithmeticError, EOFError, BadZipFile, MemoryError) as error:
        raise InputError(
            expected=f"terms and a step {step.kind} that fit together, and to the silo's data",
            found=f"{type(error).__name__}: {str(error)[:300]}",
            next_command="ask the coordinator for its terms and its version of Refrain; nothing was answered",
        ) from error


def _next(channel: SiloChannel, terms: Agreement, step: Step | None) -> Step:
    """The step after one, or its next attempt, whichever is shown; the first if there was none.

    Raises:
        InputError: a message is damaged, or neither is shown in time.
    """
    expected = [(0, 0)] if step is None else [(step.number + 1, 0), (step.number, step.attempt + 1)]
    patience = PHASES * terms.deadline_s + WAIT_S
    began = time.monotonic()
    while time.monotonic() - began < patience:
        for number, attempt in expected:
            with suppress(RefrainError):
                content = channel.fetch(name_of(number, attempt), POLL_S)
                break
        else:
            _check_not_stopped(channel)
            continue
        return Step.from_bytes(content, number, attempt, terms.digest())
    raise InputError(
        expected=f"a coordinator that goes on after {'the terms' if step is None else step.kind}",
        found=f"nothing new for {patience:,.0f} s",
        next_command="refrain model federate join URL  (again, once the coordinator goes on)",
    )


def _check_not_stopped(channel: SiloChannel) -> None:
    try:
        reason = channel.fetch(STOPPED, POLL_S / 10)
    except RefrainError:
        return
    raise InputError(
        expected="a run that comes to its end",
        found=f"the coordinator stopped it: {reason.decode(errors='replace')[:1_000]}",
        next_command="refrain model federate join URL  (another run)",
    )


def _scope(channel: SiloChannel, terms: Agreement, step: Step) -> Scope:
    if not step.catalogue:
        return Scope(terms, Catalogue((), terms.run))
    content = channel.fetch(name_of_attachment(step.catalogue), terms.deadline_s)
    catalogue = Catalogue.from_bytes(content, step.catalogue)
    if catalogue.run != terms.run:
        raise InputError(
            expected="the catalogue of this run",
            found="the one of another run",
            next_command="refrain model federate join URL  (again)",
        )
    return Scope(terms, catalogue)


def _attachment(channel: SiloChannel, step: Step) -> bytes:
    if not step.attachment:
        return b""
    content = channel.fetch(name_of_attachment(step.attachment), 60.0)
    if digest(content) != step.attachment:
        raise InputError(
            expected=f"the bytes of step {step.number}",
            found="bytes with another digest",
            next_command="refrain model federate join URL  (again)",
        )
    return content
