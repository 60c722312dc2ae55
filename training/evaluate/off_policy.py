"""What a policy would have earned, from what another policy showed and what people did.

Inverse propensity scoring (Horvitz, Thompson 1952), self-normalised (Swaminathan, Joachims: The Self-Normalized
Estimator for Counterfactual Learning, NeurIPS 2015) and doubly robust (Dudík, Langford, Li: Doubly Robust Policy
Evaluation and Learning, ICML 2011). Standard errors by the normal approximation; that of the ratio by the delta
method.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from feature_repo.errors import InputError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Impressions:
    """What was shown at random, and what came of it.

    Attributes:
        action: (n,) number of what was shown.
        reward: (n,) what came of it, such as 1 for a click.
        propensity: (n,) chance with which the logging policy showed it, above 0.
        position: (n,) slot in which it was shown.
    """

    action: np.ndarray
    reward: np.ndarray
    propensity: np.ndarray
    position: np.ndarray

    def __post_init__(self) -> None:
        sizes = {len(self.action), len(self.reward), len(self.propensity), len(self.position)}
        if len(sizes) != 1 or not len(self.action):
            raise InputError(
                expected="impressions with action, reward, propensity and position each",
                found=f"lengths {sorted(sizes)}",
                next_command="log all four for every impression",
            )
        if not np.all((self.propensity > 0) & (self.propensity <= 1)):
            raise InputError(
                expected="propensities above 0, and 1 at the most",
                found=f"{self.propensity.min()} to {self.propensity.max()}",
                next_command="log the chance with which each shown item was chosen",
            )


@dataclass(frozen=True)
class Estimate:
    """One estimate.

    Attributes:
        value: mean reward of an impression under the evaluated policy.
        interval: half width of its 95 % interval.
        effective: effective sample size (Kish): n if the two policies are one, less the more they differ.
    """

    value: float
    interval: float
    effective: float


def on_policy(rewards: np.ndarray) -> Estimate:
    """The plain mean of what a policy earned itself."""
    return Estimate(float(rewards.mean()), _interval(rewards), float(len(rewards)))


def ips(log: Impressions, policy: np.ndarray, *, largest: float = np.inf) -> Estimate:
    """Inverse propensity scoring.

    Args:
        log: of another policy.
        policy: (n,) chance with which the evaluated policy shows the logged action in its place.
        largest: weights above it are cut, which trades variance for bias.
    """
    weights = np.minimum(policy / log.propensity, largest)
    terms = weights * log.reward
    return Estimate(float(terms.mean()), _interval(terms), _effective(weights))


def snips(log: Impressions, policy: np.ndarray) -> Estimate:
    """Self-normalised: divided by the mean weight, which is 1 but for chance."""
    weights = policy / log.propensity
    value = float((weights * log.reward).sum() / weights.sum()) if weights.sum() else float("nan")
    terms = weights * (log.reward - value) / weights.mean() if weights.sum() else weights
    return Estimate(value, _interval(terms), _effective(weights))


def doubly_robust(log: Impressions, policy: np.ndarray, expected: np.ndarray, shown: np.ndarray) -> Estimate:
    """A model of the reward, corrected by what really came.

    Args:
        log: of another policy.
        policy: (n,) chance with which the evaluated policy shows the logged action in its place.
        expected: (n,) the model's reward of each impression under the evaluated policy: mean over its actions.
        shown: (n,) the model's reward of what was shown.
    """
    weights = policy / log.propensity
    terms = expected + weights * (log.reward - shown)
    return Estimate(float(terms.mean()), _interval(terms), _effective(weights))


def cross_fitted_rewards(
    log: Impressions, actions: int, *, folds: int = 5, prior: float = 200.0, seed: int = 0
) -> np.ndarray:
    """(n, actions) expected reward of each action, from the other folds alone: its mean, drawn to that of all.

    Args:
        log: impressions.
        actions: how many there are.
        folds: n is cut into.
        prior: impressions that the mean of all is worth.
        seed: of the folds.
    """
    fold = np.random.default_rng(seed).integers(folds, size=len(log.action))
    found = np.empty((len(log.action), actions))
    for number in range(folds):
        others = fold != number
        mean = log.reward[others].mean() if others.any() else log.reward.mean()
        earned = np.bincount(log.action[others], log.reward[others], minlength=actions)
        count = np.bincount(log.action[others], minlength=actions)
        found[~others] = (earned + prior * mean) / (count + prior)
    return found


def by_exploration(shown: "pl.DataFrame") -> dict[str, Estimate]:
    """What slots earned, and what two other policies would have: never to explore, and to explore in every slot.

    Args:
        shown: of ``transforms.logged.impressions``. The chance that a slot shows what the ranking has there is what was
            logged with it where it did; that it explores is 1 less that.
    """
    explored = shown["explored"].to_numpy()
    log = Impressions(
        np.arange(shown.height),
        shown["reward"].to_numpy(),
        shown["propensity"].to_numpy(),
        shown["position"].to_numpy(),
    )
    found = {"as it was": on_policy(log.reward)}
    if explored.any() and not explored.all():
        share = float(explored.mean())
        found["never explored (SNIPS)"] = snips(log, np.where(explored, 0.0, 1.0))
        found["only explored (SNIPS)"] = snips(log, np.where(explored, log.propensity / share, 0.0))
    return found


def _interval(terms: np.ndarray) -> float:
    return float(1.96 * terms.std(ddof=1) / np.sqrt(len(terms))) if len(terms) > 1 else float("nan")


def _effective(weights: np.ndarray) -> float:
    total = float((weights**2).sum())
    return float(weights.sum() ** 2 / total) if total else 0.0
