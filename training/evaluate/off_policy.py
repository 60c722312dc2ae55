"""Off-policy evaluation: the reward of a policy, estimated from the log of another policy.

Inverse propensity scoring (Horvitz, Thompson 1952), self-normalised (Swaminathan, Joachims: The Self-Normalized
Estimator for Counterfactual Learning, NeurIPS 2015) and doubly robust (Dudík, Langford, Li: Doubly Robust Policy
Evaluation and Learning, ICML 2011). Standard errors use the normal approximation; that of the ratio the delta
method. With a small effective sample the normal approximation says nothing, so an estimate is refused.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from feature_repo.errors import InputError

if TYPE_CHECKING:
    import polars as pl


FEWEST_EFFECTIVE = 100
"""Effective sample size below which an estimate is refused: a few heavy impressions decide it."""


@dataclass(frozen=True)
class Impressions:
    """Items that were shown at random, and their rewards.

    Attributes:
        action: (n,) number of the shown item.
        reward: (n,) reward, such as 1 for a click.
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
    """The estimated reward of a policy.

    Attributes:
        value: mean reward of an impression under the evaluated policy.
        interval: half width of its 95 % interval; NaN if the estimate is refused.
        effective: effective sample size (Kish): n if the two policies are the same, less the more they differ.
    """

    value: float
    interval: float
    effective: float

    @property
    def refusal(self) -> str:
        """Why the estimate is not to be used; empty if it may be."""
        if self.effective >= FEWEST_EFFECTIVE:
            return ""
        return f"refused: an effective sample of {self.effective:,.0f}, at least {FEWEST_EFFECTIVE} are needed"


def on_policy(rewards: np.ndarray) -> Estimate:
    """Computes the plain mean of the rewards that a policy earned itself."""
    return _estimate(float(rewards.mean()), rewards, np.ones(len(rewards)))


def ips(log: Impressions, policy: np.ndarray, *, largest: float = np.inf) -> Estimate:
    """Estimates by inverse propensity scoring.

    Args:
        log: log of another policy.
        policy: (n,) chance with which the evaluated policy shows the logged action in its place.
        largest: largest weight; larger ones are cut, which trades variance for bias.
    """
    weights = np.minimum(policy / log.propensity, largest)
    terms = weights * log.reward
    return _estimate(float(terms.mean()), terms, weights)


def snips(log: Impressions, policy: np.ndarray) -> Estimate:
    """Estimates by self-normalised scoring: divided by the mean weight, whose expectation is 1."""
    weights = policy / log.propensity
    value = float((weights * log.reward).sum() / weights.sum()) if weights.sum() else float("nan")
    terms = weights * (log.reward - value) / weights.mean() if weights.sum() else weights
    return _estimate(value, terms, weights)


def doubly_robust(
    log: Impressions, policy: np.ndarray, expected_rewards: np.ndarray, shown_rewards: np.ndarray
) -> Estimate:
    """Estimates by a model of the reward, corrected by the observed rewards.

    Args:
        log: log of another policy.
        policy: (n,) chance with which the evaluated policy shows the logged action in its place.
        expected_rewards: (n,) the model's reward of each impression under the evaluated policy: mean over its actions.
        shown_rewards: (n,) the model's reward of the shown item.
    """
    weights = policy / log.propensity
    terms = expected_rewards + weights * (log.reward - shown_rewards)
    return _estimate(float(terms.mean()), terms, weights)


def cross_fitted_rewards(
    log: Impressions, actions: int, *, folds: int = 5, prior: float = 200.0, seed: int = 0
) -> np.ndarray:
    """Estimates (n, actions) expected rewards of each action from the other folds only, shrunk to the overall mean.

    Args:
        log: impressions.
        actions: number of actions.
        folds: number of folds.
        prior: weight of the overall mean, in impressions.
        seed: seed of the folds.
    """
    fold = np.random.default_rng(seed).integers(folds, size=len(log.action))
    rewards = np.empty((len(log.action), actions))
    for fold_number in range(folds):
        other_folds = fold != fold_number
        mean = log.reward[other_folds].mean() if other_folds.any() else log.reward.mean()
        reward_sums = np.bincount(log.action[other_folds], log.reward[other_folds], minlength=actions)
        counts = np.bincount(log.action[other_folds], minlength=actions)
        rewards[~other_folds] = (reward_sums + prior * mean) / (counts + prior)
    return rewards


def by_exploration(slots: "pl.DataFrame") -> dict[str, Estimate]:
    """Estimates the reward of the slots as logged, without any exploration, and with exploration in every slot.

    Args:
        slots: slots of ``transforms.logged.impressions``. Where a slot did not explore, its propensity is the chance
            that it shows the ranked item; the chance that it explores is 1 less that.
    """
    explored = slots["explored"].to_numpy()
    log = Impressions(
        np.arange(slots.height),
        slots["reward"].to_numpy(),
        slots["propensity"].to_numpy(),
        slots["position"].to_numpy(),
    )
    estimates = {"as it was": on_policy(log.reward)}
    if explored.any() and not explored.all():
        share = float(explored.mean())
        estimates["never explored (SNIPS)"] = snips(log, np.where(explored, 0.0, 1.0))
        estimates["only explored (SNIPS)"] = snips(log, np.where(explored, log.propensity / share, 0.0))
    return estimates


def _estimate(value: float, terms: np.ndarray, weights: np.ndarray) -> Estimate:
    """Returns the estimate of (n,) terms; its interval is NaN if the effective sample is too small."""
    effective = _effective(weights)
    is_known = len(terms) > 1 and effective >= FEWEST_EFFECTIVE
    half = float(1.96 * terms.std(ddof=1) / np.sqrt(len(terms))) if is_known else float("nan")
    return Estimate(value, half, effective)


def _effective(weights: np.ndarray) -> float:
    total = float((weights**2).sum())
    return float(weights.sum() ** 2 / total) if total else 0.0
