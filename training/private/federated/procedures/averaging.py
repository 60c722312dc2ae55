"""A small network by averages of the silos' updates, under masks: FedAvg, and FedProx for silos that differ.

McMahan, Moore, Ramage, Hampson, Agüera y Arcas: Communication-Efficient Learning of Deep Networks from Decentralized
Data (AISTATS 2017); Li, Sahu, Zaheer, Sanjabi, Talwalkar, Smith: Federated Optimization in Heterogeneous Networks
(MLSys 2020). Each round a silo descends from the common weights on its own rows, clips its update to ``clip`` and sends
it times its number of rows, of which ``most_rows`` count. Approximate: not the weights of all rows in one place.

Parameters: ``width``, ``hidden``, ``rounds``, ``epochs``, ``rate``, ``batch``, ``proximal`` (μ; 0 is FedAvg),
``decay``, ``clip``, ``most_rows``, ``seed``. Clipping binds honest silos alone: nobody sees an update.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from feature_repo.errors import InputError
from training.private.federated.answer import Answer, Procedure
from training.private.federated.coordinator import CoordinatorRun
from training.private.federated.fixed_vectors import clipped, to_vector, to_words
from training.private.federated.network import Network, descend
from training.private.federated.statistic import Scope, SiloData
from training.private.federated.step import Step
from transforms.pure import npz

DEFAULTS: Mapping[str, Any] = {
    "width": 1,
    "hidden": 0,
    "rounds": 20,
    "epochs": 1,
    "rate": 0.1,
    "batch": 64,
    "proximal": 0.0,
    "decay": 0.0,
    "clip": 10.0,
    "most_rows": 2**20,
    "seed": 0,
}


def coordinate(run: CoordinatorRun) -> bytes:
    """Averages for some rounds, and returns the weights as the archive of one array, ``weights``.

    Raises:
        InputError: a round went wrong each time, or the average is larger than honest silos can have it.
    """
    values = {**DEFAULTS, **run.agreement.parameters}
    network = Network(int(values["width"]), int(values["hidden"]))
    weights = network.initial(int(values["seed"]))
    for _ in range(int(values["rounds"])):
        total = run.ask("update", network.size + 1, attachment=npz.pack({"weights": weights}, compressed=False))
        update, rows = to_vector(total.words)
        check_mean(update, rows, len(total.silos), values)
        weights = weights + update
    return npz.pack({"weights": weights}, compressed=False)


def check_mean(update: np.ndarray, rows: int, silos: int, values: Mapping[str, Any]) -> None:
    """Checks the mean of clipped updates: it is no longer than one of them.

    Raises:
        InputError: it is longer, or of more rows than the silos may have; a silo did not keep to the terms.
    """
    length, limit = float(np.linalg.norm(update)), float(values["clip"]) * (1 + 1e-6) + 1e-6 * np.sqrt(len(update))
    if not (0 <= rows <= silos * int(values["most_rows"]) and length <= limit):
        raise InputError(
            expected=f"a mean update of at most {values['clip']}, of {silos} silos",
            found=f"{length:g}, of {rows:,} rows: a silo did not clip, and the sum does not say which",
            next_command="a run with groups of silos, and the median of their sums  (docs/federated.md)",
        )


def _answer(data: SiloData, scope: Scope, step: Step, attachment: bytes) -> np.ndarray:
    values = {**DEFAULTS, **scope.agreement.parameters}
    network = Network(int(values["width"]), int(values["hidden"]))
    weights = npz.unpack(attachment)["weights"]
    if weights.shape != (network.size,) or not np.isfinite(weights).all():
        raise InputError(
            expected=f"{network.size} weights",
            found=f"{weights.shape}, or numbers that are not finite",
            next_command="refrain model federate join URL  (another coordinator)",
        )
    rows = min(len(data.labels), int(values["most_rows"]))
    if not rows:
        return to_words(np.zeros(network.size), 0)
    after = descend(
        network,
        weights,
        data.features.reshape(-1, network.width),
        data.labels,
        epochs=int(values["epochs"]),
        rate=float(values["rate"]),
        batch=int(values["batch"]),
        proximal=float(values["proximal"]),
        decay=float(values["decay"]),
        seed=int(values["seed"]) + step.number,
    )
    return to_words(clipped(after - weights, float(values["clip"])), rows)


PROCEDURE = Procedure("averaging", "a small network by FedAvg or FedProx: approximate", coordinate, {"update": None})
ANSWER = Answer("update", _answer)
