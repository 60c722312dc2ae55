"""Tempo, beats and downbeats: a bar pointer, decoded by Viterbi.

The hidden state is how long the present beat takes and how far it has come (Whiteley, Cemgil, Godsill, Bayesian
modelling of temporal structure in musical audio, ISMIR 2006), on the grid of Krebs, Böck, Widmer, An efficient
state-space model for joint tempo and meter tracking (ISMIR 2015): a period is a whole number of frames, and changes at
beats alone. Between beats the pointer moves by itself, so that the best path is found from beat to beat: over the last
beat's period and this one's. As no beat follows another within the shortest period, so many frames are decoded at once.
A second pass runs over the beats: which of 2, 3 or 4 in a bar each of them is.
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio.onsets import FRAMES_A_SECOND

SLOWEST, FASTEST = 50.0, 210.0
"""Beats a minute."""
USUAL, SPREAD = 115.0, 0.75
"""Tempo that is expected, and the standard deviation of its logarithm, in octaves."""
PIECE_SECONDS = 600.0
"""Decoded at once; longer sounds in pieces, so that memory is bounded."""
METERS = (2, 3, 4)


@dataclass(frozen=True)
class Recipe:
    """What the decoder weighs.

    Attributes:
        bands: of low, middle and high onsets.
        threshold: standard deviations that a beat's onset must have to speak for it.
        steadiness: cost of a change of the period, for its relative size.
        prior: weight of the usual tempo, for each second.
        pulse: weight of how well onsets repeat after a period, for each second.
        sparseness: power of its period (in halves of a second) by which a beat's onset counts: 0 makes onsets add up,
            so that fast beats collect more of them; 1 compares their mean.
    """

    bands: tuple[float, float, float] = (0.4, 0.35, 0.25)
    threshold: float = 0.3
    steadiness: float = 60.0
    prior: float = 0.5
    pulse: float = 1.5
    sparseness: float = 0.5


DEFAULT = Recipe()


@dataclass(frozen=True)
class Beats:
    """Of one sound.

    Attributes:
        times: (n,) seconds.
        places: (n,) which beat of its bar each is, from 1; 1 is a downbeat.
        tempo: beats a minute; NaN without two beats.
        confidence: 0 to 1, how much louder than by chance it is at beats.
        meter: beats of a bar; 0 for unknown.
        meter_confidence: 0 to 1, likewise of the downbeats among the beats.
    """

    times: np.ndarray
    places: np.ndarray
    tempo: float
    confidence: float
    meter: int
    meter_confidence: float

    @property
    def downbeats(self) -> np.ndarray:
        """Seconds."""
        return self.times[self.places == 1]


NOTHING = Beats(np.empty(0), np.empty(0, np.int64), float("nan"), 0.0, 0, 0.0)


def track(standard: np.ndarray, chroma: np.ndarray | None = None, recipe: Recipe = DEFAULT) -> Beats:
    """Find beats.

    Args:
        standard: (frames, 3) of ``onsets.standardized``.
        chroma: (about frames / 2, 12) of every second frame: harmony changes at downbeats.
        recipe: weights.
    """
    if len(standard) < 2 * FRAMES_A_SECOND or not (standard > 0).any():
        return NOTHING
    bands = np.clip(standard, -1.0, 4.0)
    activation = np.convolve(bands @ np.asarray(recipe.bands), [0.25, 0.5, 0.25], mode="same")
    activation /= max(float(activation.std()), 1e-9)
    length = int(PIECE_SECONDS * FRAMES_A_SECOND)
    pieces = [
        _decoded(activation[first : first + length], recipe) + first for first in range(0, len(activation), length)
    ]
    found = np.concatenate(pieces)
    if len(found) < 3:
        return NOTHING
    found = found[np.concatenate([[True], np.diff(found) >= _periods()[0]])]  # where two pieces meet
    places, meter, sure = _bars(found, bands, chroma)
    times = (found + _peak_shift(activation, found)) / FRAMES_A_SECOND
    period = float(np.median(np.diff(times)))
    return Beats(times, places, 60.0 / period, _confidence(activation, found), meter, sure)


def _periods() -> np.ndarray:
    return np.arange(int(60 * FRAMES_A_SECOND / FASTEST), int(60 * FRAMES_A_SECOND / SLOWEST) + 1)


def _best_before(score: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each column q the largest score[:, p] - |position[p] - position[q]| of all p, and that p.

    A cost that grows with the distance needs no look at all pairs: running maxima from the left and from the right
    find it (Felzenszwalb, Huttenlocher, Distance transforms of sampled functions, 2012).

    Args:
        score: (rows, n).
        position: (n,) ascending.
    """
    columns = np.arange(score.shape[1])
    found = []
    for values, back in ((score + position, slice(None)), ((score - position)[:, ::-1], slice(None, None, -1))):
        best = np.maximum.accumulate(values, axis=1)
        place = np.maximum.accumulate(np.where(values == best, columns, 0), axis=1)
        found.append((best[:, back], (place if back.step is None else columns[-1] - place)[:, back]))
    (left, from_left), (right, from_right) = found
    left, right = left - position, right + position
    return np.maximum(left, right), np.where(left >= right, from_left, from_right)


def _decoded(activation: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Frames of the beats on the best path."""
    periods = _periods()
    position = (recipe.steadiness * np.log(periods)).astype(np.float32)
    shortest, longest, frames = int(periods[0]), int(periods[-1]), len(activation)
    if frames <= shortest:
        return np.empty(0, np.int64)
    seconds = periods / FRAMES_A_SECOND
    octaves = np.log2(60.0 / seconds / USUAL) / SPREAD
    own = (-recipe.prior * seconds * 0.5 * octaves**2).astype(np.float32)
    pulse = _pulse(activation, periods) * (recipe.pulse * seconds)[None, :]
    # score[t, p]: of the best path with a beat at t, a period p before it; onward[t, q]: and q to follow
    onward = np.full((frames + longest, len(periods)), -np.inf, np.float32)  # rows are shifted by the longest period
    back = np.zeros((frames, len(periods)), np.int16)
    before = np.zeros((frames, len(periods)), np.int16)
    scores = np.empty((frames, len(periods)), np.float32)
    reward = (activation - recipe.threshold).astype(np.float32)
    counts = ((2 * seconds) ** recipe.sparseness).astype(np.float32)
    columns = np.arange(len(periods))
    for first in range(0, frames, shortest):
        rows = np.arange(first, min(first + shortest, frames))
        came = onward[rows[:, None] + longest - periods[None, :], columns[None, :]]
        # a first beat may be anywhere within one period; what lies before costs as much as beats by chance
        fresh = np.where(rows[:, None] < periods[None, :], 0.0, -np.inf).astype(np.float32)
        score = np.maximum(came, fresh) + own + pulse[rows] + reward[rows, None] * counts
        scores[rows] = score
        onward[rows + longest], before[rows] = _best_before(score, position)
        back[rows] = np.where(came >= fresh, 1, 0)
    last = np.arange(max(frames - longest, 0), frames)
    frame = int(last[scores[last].max(axis=1).argmax()])
    period = int(scores[frame].argmax())
    path = [frame]
    while back[frame, period]:
        frame -= int(periods[period])
        path.append(frame)
        period = int(before[frame, period])
    return np.array(path[::-1], np.int64)


def _pulse(activation: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """(frames, periods) how well what sounds repeats after each period, within some seconds around, at most 1."""
    half = int(4 * FRAMES_A_SECOND)
    positive = np.maximum(activation, 0.0)
    step = 16
    frames = len(positive)
    rows = np.arange(0, frames, step)
    out = np.empty((len(rows), len(periods)), np.float32)
    energy = np.concatenate([[0.0], np.cumsum(positive**2)])
    first, last = np.maximum(rows - half, 0), np.minimum(rows + half, frames)
    total = np.maximum(energy[last] - energy[first], 1e-6)
    for column, period in enumerate(periods.tolist()):
        product = np.concatenate([[0.0], np.cumsum(positive[period:] * positive[: frames - period])])
        stop = np.minimum(last, frames - period)
        begin = np.minimum(first, stop)
        out[:, column] = (product[stop] - product[begin]) / total
    return np.repeat(out, step, axis=0)[:frames]


def _peak_shift(activation: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(n,) frames from each beat to the top of a parabola through it and its neighbours."""
    inner = np.clip(found, 1, len(activation) - 2)
    left, middle, right = activation[inner - 1], activation[inner], activation[inner + 1]
    curve = left - 2 * middle + right
    shift = 0.5 * (left - right) / np.where(curve < 0, curve, -np.inf)
    return np.where(inner == found, np.clip(shift, -0.5, 0.5), 0.0)


def _confidence(activation: np.ndarray, found: np.ndarray) -> float:
    """By the mean of a standard normal activation at beats."""
    return float(np.clip(activation[found].mean() / 2.5, 0.0, 1.0))


def _bars(found: np.ndarray, bands: np.ndarray, chroma: np.ndarray | None) -> tuple[np.ndarray, int, float]:
    """Place of each beat in its bar, beats of a bar, and how sure that is."""
    strength = bands[found].copy()
    evidence = 0.5 * strength[:, 0] + 0.3 * strength[:, 1]
    if chroma is not None and len(chroma):
        evidence = evidence + 1.5 * _standard(_harmonic_change(found, chroma))
    evidence = _standard(evidence)
    best = (np.zeros(len(found), np.int64), 0, -np.inf)
    for meter in METERS:
        for offset in range(meter):
            down = (np.arange(len(found)) - offset) % meter == 0
            if not down.any():
                continue
            # the sum over downbeats of a standard normal grows by its spread alone where there is no bar
            value = evidence[down].sum() / np.sqrt(down.sum())
            if value > best[2]:
                best = ((np.arange(len(found)) - offset) % meter + 1, meter, value)
    sure = float(np.clip(evidence[best[0] == 1].mean(), 0.0, 1.0))
    return best[0], best[1], sure


def _harmonic_change(found: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """(n,) distance of the pitch classes after a beat from those before it."""
    edges = np.clip(np.concatenate([[0], found // 2, [len(chroma)]]), 0, len(chroma))
    sums = np.concatenate([np.zeros((1, 12)), np.cumsum(chroma, axis=0, dtype=np.float64)])
    parts = sums[edges[1:]] - sums[edges[:-1]]
    unit = parts / np.maximum(np.linalg.norm(parts, axis=1, keepdims=True), 1e-9)
    return 1.0 - (unit[1:] * unit[:-1]).sum(axis=1)


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / max(float(values.std()), 1e-9)
