"""What a silo answers to a step of some kind: each answer is declared beside the procedure that asks for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from feature_repo.discovery import definitions
from feature_repo.errors import InputError
from training.private.federated.coordinator import CoordinatorRun
from training.private.federated.statistic import Scope, SiloData
from training.private.federated.step import Step

PACKAGE = "training.private.federated.procedures"


@dataclass(frozen=True)
class Answer:
    """How a silo answers.

    Attributes:
        name: kind of the step.
        respond: (n,) uint64 words from the silo's data, what everybody knows, the step, and the bytes with it.
    """

    name: str
    respond: Callable[[SiloData, Scope, Step, bytes], np.ndarray]


@dataclass(frozen=True)
class Procedure:
    """What a run does in which rounds.

    Attributes:
        name: its name in an agreement.
        about: what comes out of it.
        coordinate: the program of the coordinator; returns the result, which every silo gets.
        answers: kind of each step that it asks → how many such steps a silo answers in a run at the most, None for
            any number. A coordinator that asked the sums of a run again could take one from the other.
    """

    name: str
    about: str
    coordinate: Callable[[CoordinatorRun], bytes]
    answers: Mapping[str, int | None]


Declaration = TypeVar("Declaration", Answer, Procedure)


def procedure_of(name: str) -> Procedure:
    """The procedure of a name.

    Raises:
        InputError: there is none.
    """
    return _declared(Procedure, name, "a procedure")


def answer_of(kind: str) -> Answer:
    """The answer to a kind of step.

    Raises:
        InputError: there is none.
    """
    return _declared(Answer, kind, "a step of a kind")


def _declared(kind: type[Declaration], name: str, what: str) -> Declaration:
    by_name = definitions(PACKAGE, kind)
    if name not in by_name:
        raise InputError(
            expected=f"{what} of {sorted(by_name)}",
            found=repr(name[:100]),
            next_command="the same version of Refrain at the coordinator and at every silo",
        )
    return by_name[name]
