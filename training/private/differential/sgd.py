"""DP-SGD: a network that hardly depends on any one person (extra ``deep``, by Opacus).

Abadi et al., Deep Learning with Differential Privacy, CCS 2016, with a **person** as the unit. Each step draws every
person with the same chance, independently (Poisson sampling). A person's loss is the mean over their rows, so that
their rows give one gradient; it is clipped to a length C, and Gaussian noise of σC is added to the sum. One person
more or less changes the sum of a step by C at most, however many rows they have: clipping row by row, as Opacus does it
for rows, would leave a person of m rows m times as much.

The cost of all steps is computed by the accountant of Gopi, Lee and Wutschitz (Numerical Composition of Differential
Privacy, NeurIPS 2021), of which the upper bound counts. Columns are scaled by bounds that are given, not by the data,
and what contributions are measured against is drawn within the bounds.

Not protected: the noise is of floating point, from PyTorch's generator seeded by the operating system: unlike the
integer noise of ``noise``, it is no proof against who knows its low bits (Mironov, CCS 2012). The settings must be
chosen on other people, or each trial is paid for.
"""

import secrets
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_repo.errors import InputError
from training.estimators.base import Kind
from training.estimators.torch_mlp import BACKGROUND, NetworkFitted, build_network
from training.private.differential.guarantee import check
from training.private.differential.statement import PrivacyStatement

if TYPE_CHECKING:
    import torch

LARGEST_ANSWER = 1e15
"""Answers are cut to it: the gradient of a larger one has no length in float32, so that clipping would not bound it."""


@dataclass(frozen=True)
class PersonRows:
    """The rows of people, as many places for each.

    Attributes:
        inputs: (people, places, d) float32 columns.
        answers: (people, places) float32.
        shares: (people, places) float32 share of each place in the person's mean; 0 where there is no row.

    >>> rows = PersonRows.of(np.ones((3, 2)), np.ones(3), np.array([7, 7, 9]), 4, np.random.default_rng(0))
    >>> rows.inputs.shape, rows.shares.tolist()
    ((2, 2, 2), [[0.5, 0.5], [1.0, 0.0]])
    """

    inputs: np.ndarray
    answers: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(
        cls, inputs: np.ndarray, answers: np.ndarray, people: np.ndarray, most: int, rng: np.random.Generator
    ) -> "PersonRows":
        """Groups rows by person, and draws at most ``most`` rows of each at random.

        Args:
            inputs: (n, d) columns.
            answers: (n,) answers.
            people: (n,) person of each row.
            most: places of a person.
            rng: draws the rows.
        """
        names, person = np.unique(people, return_inverse=True)
        order = np.lexsort((rng.random(len(person)), person))
        starts = np.searchsorted(person[order], np.arange(len(names)))
        place = np.arange(len(order)) - starts[person[order]]
        order, place = order[place < most], place[place < most]
        shape = (len(names), int(place.max(initial=0)) + 1)
        columns, truth = np.zeros((*shape, inputs.shape[1]), np.float32), np.zeros(shape, np.float32)
        shares = np.zeros(shape, np.float32)
        cells = (person[order], place)
        columns[cells], truth[cells], shares[cells] = inputs[order], answers[order], 1.0
        return cls(columns, truth, shares / np.maximum(shares.sum(axis=1, keepdims=True), 1))


@dataclass(frozen=True)
class PrivateNetwork:
    """Settings of a network that is trained privately.

    Attributes:
        epsilon: ε of a person.
        delta: δ, below one by the number of people.
        hidden: units of the first hidden layer.
        steps: number of steps.
        people_a_step: people of a step, on average.
        most_rows: rows of a person that are learned from.
        clip: C, the largest length of a person's gradient.
        learning_rate: of Adam.
        sigma: σ of the noise, if it was computed elsewhere; 0 for what ε and δ ask for.

    >>> PrivateNetwork(2.0, 1e-5).fit(inputs, answers, people, "binary", (low, high), 1_000)        # doctest: +SKIP
    """

    epsilon: float
    delta: float
    hidden: int = 16
    steps: int = 100
    people_a_step: int = 128
    most_rows: int = 64
    clip: float = 0.2
    learning_rate: float = 0.02
    sigma: float = 0.0

    def fit(
        self,
        inputs: np.ndarray,
        answers: np.ndarray,
        people: np.ndarray,
        kind: Kind,
        bounds: tuple[np.ndarray, np.ndarray],
        public_people: int,
        seed: int | None = None,
    ) -> tuple[NetworkFitted, PrivacyStatement]:
        """Trains a network.

        Args:
            inputs: (n, d) columns; NaN for missing.
            answers: (n,) 0 or 1, or numbers; those beyond ± ``LARGEST_ANSWER`` are cut to it.
            people: (n,) person of each row.
            kind: kind of the answers.
            bounds: (d,) least and (d,) largest value of each column, known beforehand; others are cut to them.
            public_people: about how many people there are; a number that may be known.
            seed: of a test; None for the operating system's randomness.

        Returns:
            The fitted network, and what it guarantees; ``rho`` is that of all steps without sampling, for a ledger.

        Raises:
            InputError: there are no rows, or the arguments do not fit each other.
        """
        import torch

        check(self.epsilon, self.delta, public_people)
        low, high = (np.asarray(bound, np.float32) for bound in bounds)
        _check_rows(inputs, answers, people, low, high)
        rng = np.random.default_rng(secrets.randbits(128) if seed is None else seed)
        rate = min(1.0, self.people_a_step / public_people)
        sigma = self.sigma or noise_of(self.epsilon, self.delta, rate, self.steps)
        least, most = (0.0, 1.0) if kind == "binary" else (-LARGEST_ANSWER, LARGEST_ANSWER)
        columns, truth = np.clip(np.asarray(inputs, np.float32), low, high), np.clip(answers, least, most)
        rows = PersonRows.of(columns, truth, people, self.most_rows, rng)
        spread = np.where(high > low, (high - low) / 2, 1).astype(np.float32)
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**62)))
            network = build_network(torch, (low + high) / 2, spread, self.hidden, kind)
            self._train(network, rows, kind, rate, rate * public_people, sigma, rng)
        network.eval()
        background = rng.uniform(low, high, (BACKGROUND, len(low))).astype(np.float32)
        statement = PrivacyStatement(
            self.epsilon,
            self.delta,
            rho=self.steps / (2 * sigma**2),
            mechanism=f"DP-SGD, Gaussian of sigma {sigma:.3g}, {self.steps} steps, sampling {rate:.3g}",
            people=public_people,
        )
        return NetworkFitted(network, kind, background), statement

    def _train(
        self,
        network: Any,
        rows: PersonRows,
        kind: Kind,
        rate: float,
        expected: float,
        sigma: float,
        rng: np.random.Generator,
    ) -> None:
        """Takes all steps; each has noise, also of a draw of nobody."""
        import torch
        from opacus.grad_sample import GradSampleModule
        from opacus.optimizers import DPOptimizer

        layers = GradSampleModule(network.layers, loss_reduction="sum")
        generator = torch.Generator()
        generator.manual_seed(int(rng.integers(2**62)))
        optimizer = DPOptimizer(
            torch.optim.Adam(layers.parameters(), lr=self.learning_rate),
            noise_multiplier=sigma,
            max_grad_norm=self.clip,
            expected_batch_size=max(round(expected), 1),
            loss_reduction="mean",
            generator=generator,
        )
        columns = network.columns(torch.from_numpy(rows.inputs))
        answers, shares = torch.from_numpy(rows.answers), torch.from_numpy(rows.shares)
        for _ in range(self.steps):
            drawn = torch.from_numpy(np.flatnonzero(rng.random(len(rows.shares)) < rate))
            optimizer.zero_grad()
            batch = columns[drawn].requires_grad_()  # Opacus' hooks need a gradient of the inputs
            losses = _losses(layers(batch)[..., 0], answers[drawn], kind) * shares[drawn]
            losses.sum().backward()
            optimizer.step()
        layers.to_standard_module()


def noise_of(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """Returns the smallest σ, in lengths of the clipped gradient, with which all steps guarantee (ε, δ).

    Args:
        epsilon: ε.
        delta: δ.
        rate: chance of a person to be in a step.
        steps: number of steps.
    """
    from opacus.accountants.utils import get_noise_multiplier

    with warnings.catch_warnings():
        # it finds the range of its numbers by a looser bound, at ever other sigma: wider is right, too
        warnings.filterwarnings("ignore", message="Optimal order is the (largest|smallest) alpha")
        sigma = get_noise_multiplier(
            target_epsilon=epsilon, target_delta=delta, sample_rate=rate, steps=steps, accountant="prv"
        )
    return float(sigma)


def _losses(scores: "torch.Tensor", answers: "torch.Tensor", kind: Kind) -> "torch.Tensor":
    """(people, places) loss of each row."""
    import torch

    if kind == "binary":
        return torch.nn.functional.binary_cross_entropy_with_logits(scores, answers, reduction="none")
    return (scores - answers) ** 2


def _check_rows(inputs: np.ndarray, answers: np.ndarray, people: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Checks that there are rows, and that all arguments are of the same."""
    fits = inputs.ndim == 2 and len(inputs) == len(answers) == len(people) and len(inputs)
    if not fits or low.shape != (inputs.shape[1],) or high.shape != low.shape:
        raise InputError(
            expected="(n, d) columns, (n,) answers, (n,) people, and (d,) bounds, of at least one row",
            found=f"{inputs.shape}, {answers.shape}, {people.shape}, {low.shape} and {high.shape}",
            next_command="refrain doctor  (the rows of a training set)",
        )
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low <= high).all()):
        raise InputError(
            expected="bounds of columns that are numbers, the least first",
            found="others",
            next_command="refrain contract show  (ranges of columns)",
        )
    if not np.isfinite(np.asarray(answers, float)).all():
        raise InputError(
            expected="answers that are numbers",
            found="missing ones",
            next_command="refrain doctor  (the rows of a training set)",
        )
