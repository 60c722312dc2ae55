"""The sums of all silos, exactly: those of one world with the listeners of all, for models in closed form.

One round has all tables, so that all are of the same silos. The result are kept sums: every silo solves its models from
them, bit for bit the same.
"""

import numpy as np

from feature_repo.errors import InputError
from training.exact.kept import KeptSums
from training.private.federated.answer import Answer, Procedure
from training.private.federated.coordinator import CoordinatorRun
from training.private.federated.plausible import check_sums
from training.private.federated.procedures.agree_catalogue import KINDS, agree_catalogue
from training.private.federated.statistic import Scope, SiloData, count_all, packing_of
from training.private.federated.step import Step


def coordinate(run: CoordinatorRun) -> bytes:
    """Agrees on the catalogue, sums, and returns the bytes of ``KeptSums``.

    Raises:
        InputError: a round went wrong each time, or the sums are not possible.
    """
    scope = Scope(run.agreement, agree_catalogue(run))
    packing = packing_of(scope)
    total = run.ask("sums", packing.words)
    sums = packing.unpack(total.words, len(total.silos))
    check_sums(sums)
    return KeptSums(scope.catalogue.items, run.agreement.cutoff, sums).to_bytes()


def _answer_sums(data: SiloData, scope: Scope, step: Step, attachment: bytes) -> np.ndarray:
    if not scope.catalogue.items:
        raise InputError(
            expected="a catalogue",
            found="none",
            next_command="refrain model federate join URL  (another coordinator)",
        )
    return packing_of(scope).pack(count_all(data, scope))


PROCEDURE = Procedure("exact", "sums of all silos: models in closed form", coordinate, {**KINDS, "sums": 1})
ANSWER = Answer("sums", _answer_sums)
