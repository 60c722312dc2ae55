"""Networks and logistic regressions that are trained privately: a person is one gradient, and noise is paid for."""

import math
from typing import Literal

import numpy as np
import pytest

from feature_repo.errors import InputError
from training.private.differential import linear, zcdp

torch = pytest.importorskip("torch", reason="the extra deep is not installed: pip install torch opacus")
pytest.importorskip("opacus", reason="the extra deep is not installed: pip install opacus")

from training.private.differential import sgd  # noqa: E402
from training.private.differential.sgd import PersonRows, PrivateNetwork, noise_of  # noqa: E402

BOUNDS = (np.full(3, -3.0), np.full(3, 3.0))


def rows_of(people: int, each: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns, answers that follow from two of them, and people."""
    inputs = np.random.default_rng(0).normal(size=(people * each, 3))
    return inputs, (inputs[:, 0] + inputs[:, 1] > 0).astype(float), np.repeat(np.arange(people), each)


def test_rows_of_a_person_are_one_gradient() -> None:
    """However many rows a person has, the gradient is that of their mean loss: 50 equal rows are one."""
    from opacus.grad_sample import GradSampleModule

    inputs = np.array([[1.0, -2.0, 0.5], [0.3, 0.1, 2.0], *[[1.0, -2.0, 0.5]] * 50])
    people = np.array([0, 0, *[1] * 50])
    rows = PersonRows.of(inputs, np.array([1.0, 0.0, *[1.0] * 50]), people, 64, np.random.default_rng(0))
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    wrapped = GradSampleModule(layers, loss_reduction="sum")
    batch = torch.from_numpy(rows.inputs).requires_grad_()
    losses = sgd._losses(wrapped(batch)[..., 0], torch.from_numpy(rows.answers), "binary")
    (losses * torch.from_numpy(rows.shares)).sum().backward()
    samples = [parameter.grad_sample.clone() for parameter in wrapped.parameters()]
    wrapped.to_standard_module()
    for person, own in ((0, inputs[:2]), (1, inputs[2:3])):
        layers.zero_grad()
        answers = torch.tensor([1.0, 0.0][: len(own)])
        scores = layers(torch.from_numpy(own.astype(np.float32)))[:, 0]
        torch.nn.functional.binary_cross_entropy_with_logits(scores, answers).backward()
        for sample, parameter in zip(samples, layers.parameters(), strict=True):
            assert sample[person].numpy() == pytest.approx(parameter.grad.numpy(), abs=1e-6)


def test_a_network_learns_and_says_what_it_guarantees(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, answers, people = rows_of(400, 4)
    monkeypatch.setattr(sgd, "noise_of", lambda *_: 1.5)
    settings = PrivateNetwork(4.0, 1e-5, steps=40, people_a_step=60, learning_rate=0.05)
    fitted, statement = settings.fit(inputs, answers, people, "binary", BOUNDS, 400, seed=1)
    again, _ = settings.fit(inputs, answers, people, "binary", BOUNDS, 400, seed=1)
    assert ((fitted.predict(inputs) > 0.5) == answers).mean() > 0.85
    assert again.predict(inputs).tobytes() == fitted.predict(inputs).tobytes()
    assert (statement.epsilon, statement.unit, statement.people) == (4.0, "person", 400)
    assert statement.rho == pytest.approx(40 / (2 * 1.5**2))
    assert not (fitted.background[:, None] == inputs.astype(np.float32)[None]).all(axis=2).any()


def test_steps_of_nobody_have_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chance of one in 10,000 draws nobody in most steps; the network moves all the same, by noise alone."""
    inputs, answers, people = rows_of(3, 2)
    monkeypatch.setattr(sgd, "noise_of", lambda *_: 1.0)
    settings = PrivateNetwork(4.0, 1e-5, steps=5, people_a_step=1)
    fits = [settings.fit(inputs, answers, people, "binary", BOUNDS, 10_000, seed=seed)[0] for seed in (1, 2)]
    assert not np.array_equal(fits[0].predict(inputs), fits[1].predict(inputs))


def test_noise_is_enough_for_another_accountant() -> None:
    """The moments accountant, a looser bound, gives a fourth more than ε at most: a wrong rate would be off by more."""
    from opacus.accountants.analysis import rdp

    sigma = noise_of(2.0, 1e-5, 0.05, 60)
    orders = [1 + step / 10 for step in range(1, 600)]
    spent = rdp.compute_rdp(q=0.05, noise_multiplier=sigma, steps=60, orders=orders)
    epsilon, _ = rdp.get_privacy_spent(orders=orders, rdp=spent, delta=1e-5)
    assert 2.0 * 0.98 <= epsilon <= 2.0 * 1.25


@pytest.mark.parametrize("kind", ["binary", "number"])
@pytest.mark.parametrize("answer", [3e38, -1e300])
def test_no_answer_of_one_person_stops_the_others(
    monkeypatch: pytest.MonkeyPatch, kind: Literal["binary", "number"], answer: float
) -> None:
    inputs, answers, people = rows_of(5, 2)
    answers[0] = answer
    monkeypatch.setattr(sgd, "noise_of", lambda *_: 1.0)
    settings = PrivateNetwork(4.0, 1e-5, steps=2)
    fitted, _ = settings.fit(inputs, answers, people, kind, BOUNDS, 10, seed=1)
    assert np.isfinite(fitted.predict(inputs)).all()


@pytest.mark.parametrize("damage", ["people", "bounds", "answers", "nothing"])
def test_rows_that_do_not_fit_are_refused(damage: str) -> None:
    inputs, answers, people = rows_of(5, 2)
    low, high = BOUNDS
    if damage == "people":
        people = people[1:]
    elif damage == "bounds":
        low, high = high, low
    elif damage == "answers":
        answers[0] = math.nan
    else:
        inputs, answers, people = inputs[:0], answers[:0], people[:0]
    with pytest.raises(InputError):
        PrivateNetwork(4.0, 1e-5).fit(inputs, answers, people, "binary", (low, high), 100)


def test_logistic_regression_by_sums() -> None:
    inputs, answers, people = rows_of(3_000, 2)
    inputs[0] = math.nan
    fits = {
        rho: linear.fit(inputs, answers, people, BOUNDS, rho, np.random.default_rng(0)).predict(inputs[1:])
        for rho in (1e9, zcdp.rho(2.0, 1e-6), 1e-9)
    }
    accuracy = [((chances > 0.5) == answers[1:]).mean() for chances in fits.values()]
    assert accuracy[0] > 0.97
    assert accuracy[1] > 0.9
    assert accuracy[2] < 0.9


def test_a_person_adds_the_same_however_many_rows() -> None:
    """100 equal rows of one person are one: the same seed gives the same weights."""
    inputs, answers, people = rows_of(50, 1)
    often = np.r_[np.zeros(100, int), np.arange(50)]
    one = linear.fit(inputs, answers, people, BOUNDS, 1.0, np.random.default_rng(0))
    many = linear.fit(inputs[often], answers[often], people[often], BOUNDS, 1.0, np.random.default_rng(0))
    assert many.weights == pytest.approx(one.weights, abs=1e-5)
