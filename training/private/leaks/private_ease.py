"""What private EASE gives away, measured on simulated people: membership by what it publishes, and canaries.

The mechanism of the version is run with its ε and δ; no person of the data folder is in any of the runs, so that the
figures cost no privacy and may stand in a card.
"""

import numpy as np
from scipy import sparse

from feature_repo.command_line import Progress, silent
from training.private.differential.ease import ItemRelease, PrivateEASE
from training.private.differential.unit_rows import BITS, unit_rows
from training.private.leaks import canary, one_run, quadratic
from training.private.leaks.halves import halves
from training.private.leaks.leak import Leak
from training.private.leaks.private_sums import CANARIES, bound_leak, guessed_share
from training.private.leaks.shadows import attack_sums
from training.private.leaks.simulated_people import simulate

PEOPLE, TRACKS, MOST, WORLDS, ATTACKED = 5_000, 300, 20, 12, 4
CANARY_TRACKS = 8


def measure(
    model: PrivateEASE, seed: int = 0, progress: Progress = silent, noise: np.random.Generator | None = None
) -> list[Leak]:
    """Attacks the mechanism on simulated people.

    Args:
        model: the mechanism with its ε and δ.
        seed: seed of people, worlds and canaries; noise is the mechanism's own.
        progress: callback after each run of the mechanism.
        noise: a seeded generator of the mechanism's noise, in tests; None for the operating system's randomness.
    """
    rng = np.random.default_rng(seed)
    rows = simulate(PEOPLE, TRACKS, MOST, rng)
    is_in = halves(PEOPLE, WORLDS, rng)
    matrices = []
    for number, world in enumerate(is_in, 1):
        matrices.append(published(model.release(rows[np.flatnonzero(world)].astype(np.float64), noise), TRACKS))
        progress(number, WORLDS + 1, "runs of the mechanism")
    scores = quadratic.scores(np.array(matrices), lengths(rows), is_in)
    leaks = attack_sums("what private EASE publishes", scores, ATTACKED, "simulated person")
    low = canary_bound(model, rows[: PEOPLE // 2], rng, noise=noise)
    progress(WORLDS + 1, WORLDS + 1, "canaries")
    about = f"{CANARIES:,} canaries of {CANARY_TRACKS} random tracks among {PEOPLE // 2:,} simulated people"
    return [*leaks, bound_leak("what private EASE publishes", low, model.epsilon, model.delta, about)]


def canary_bound(
    model: PrivateEASE,
    rows: sparse.csr_array,
    rng: np.random.Generator,
    stated: float = 0.0,
    noise: np.random.Generator | None = None,
) -> float:
    """Lower bound of ε by one run with canaries among people.

    Args:
        model: the mechanism.
        rows: (people, tracks) histories of the people.
        rng: source of chance of the canaries.
        stated: ε that is audited, by which the number of guesses is chosen; that of the mechanism if 0.
        noise: as of ``measure``.
    """
    tracks = rows.shape[1]
    people = canary.people(CANARIES, tracks, min(CANARY_TRACKS, tracks), rng)
    is_in = rng.random(CANARIES) < 0.5
    everybody = sparse.csr_array(sparse.vstack([rows, people[np.flatnonzero(is_in)]]))
    matrix = np.nan_to_num(published(model.release(everybody.astype(np.float64), noise), tracks))
    expected = sparse.csr_array(sparse.vstack([lengths(rows), lengths(people) * 0.5**0.5]))
    excess = matrix - (expected.T @ expected).toarray()
    np.fill_diagonal(excess, 0)  # many canaries share a track, few a pair
    scores = np.asarray(people.multiply(people @ excess).sum(axis=1)).ravel()
    return one_run.epsilon_lower_bound(scores, is_in, model.delta, guessed=guessed_share(stated or model.epsilon))


def published(release: ItemRelease, tracks: int) -> np.ndarray:
    """(tracks, tracks) the published sums in units of rows of length 1, NaN outside the catalogue."""
    matrix = np.full((tracks, tracks), np.nan)
    matrix[np.ix_(release.catalogue, release.catalogue)] = np.ldexp(release.gram.astype(np.float64), -2 * BITS)
    return matrix


def lengths(rows: sparse.csr_array) -> sparse.csr_array:
    """(people, tracks) rows of length 1, as the mechanism sums them."""
    unit = unit_rows(rows.astype(np.float64))
    return sparse.csr_array((np.ldexp(unit.data, -BITS), unit.indices, unit.indptr), unit.shape)
