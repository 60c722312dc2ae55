"""Tempo, beats and downbeats: a bar pointer, decoded by Viterbi.

The hidden state is the period of the current beat and the position within it (Whiteley, Cemgil, Godsill, Bayesian
modelling of temporal structure in musical audio, ISMIR 2006), on the grid of Krebs, Böck, Widmer, An efficient
state-space model for joint tempo and meter tracking (ISMIR 2015): a period is a whole number of frames, and changes at
beats only. Between beats the pointer is deterministic, so that the best path is found from beat to beat, over the
period of the last beat and that of this one. No beat follows another within the shortest period, so that frames are
decoded in blocks of this length. What is decoded is the strength of onsets and, by ``beat_network``, the log odds of a
beat. A second pass assigns each beat its position in a bar of 2, 3 or 4 beats.
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio.onsets import FRAMES_A_SECOND

SLOWEST, FASTEST = 50.0, 210.0
"""Range of tempos in beats per minute."""
USUAL, SPREAD = 115.0, 0.75
"""Prior of the tempo: mean in beats per minute, and standard deviation of its logarithm in octaves."""
PIECE_SECONDS = 600.0
"""Longest sound that is decoded at once; longer ones are decoded in pieces, so that memory is bounded."""
METERS = (2, 3, 4)
_SUREST = 7.0
"""Largest log odds that count."""


@dataclass(frozen=True)
class Recipe:
    """The weights of the decoder.

    Attributes:
        bands: weights of low, middle and high onsets.
        threshold: onset strength in standard deviations above which a beat is rewarded.
        steadiness: cost of a change of the period, per relative change.
        prior: weight of the tempo prior per second.
        pulse: weight per second of the autocorrelation of onsets at the period.
        network: weight of the log odds of the network; onsets have the rest.
        odds: added to the log odds, so that a frame that is probably no beat costs little.
        sparseness: exponent of the period (in half seconds) in the weight of a beat's onset. With 0 onsets add up, so
            that fast tempos collect more of them; with 1 their means are compared.
    """

    bands: tuple[float, float, float] = (0.4, 0.35, 0.25)
    threshold: float = 0.3
    steadiness: float = 60.0
    prior: float = 0.5
    pulse: float = 1.5
    network: float = 0.5
    odds: float = 1.0
    sparseness: float = 0.5


DEFAULT = Recipe()


@dataclass(frozen=True)
class Beats:
    """The beats of one sound.

    Attributes:
        times: (n,) times of the beats in seconds.
        places: (n,) position of each beat in its bar, from 1; 1 is a downbeat.
        tempo: beats per minute; NaN with fewer than two beats.
        confidence: 0 to 1, strength of onsets at the beats above chance.
        meter: beats per bar; 0 if unknown.
        meter_confidence: 0 to 1, strength of the downbeats among the beats above chance.
    """

    times: np.ndarray
    places: np.ndarray
    tempo: float
    confidence: float
    meter: int
    meter_confidence: float

    @property
    def downbeats(self) -> np.ndarray:
        """Times of the downbeats in seconds."""
        return self.times[self.places == 1]


NOTHING = Beats(np.empty(0), np.empty(0, np.int64), float("nan"), 0.0, 0, 0.0)


def track(
    standard: np.ndarray, log_odds: np.ndarray, chroma: np.ndarray | None = None, recipe: Recipe = DEFAULT
) -> Beats:
    """Find the beats of a sound.

    Args:
        standard: (frames, 3) onset strengths from ``onsets.standardized``.
        log_odds: (about frames / 2,) log odds of a beat from ``beat_network``, of every second frame.
        chroma: (about frames / 2, 12) chroma of every second frame, for harmonic changes at downbeats; optional.
        recipe: weights of the decoder.
    """
    if len(standard) < 2 * FRAMES_A_SECOND or not (standard > 0).any():
        return NOTHING
    bands = np.clip(standard, -1.0, 4.0)
    onset = np.convolve(bands @ np.asarray(recipe.bands), [0.25, 0.5, 0.25], mode="same")
    onset /= max(float(onset.std()), 1e-9)
    odds = np.clip(log_odds, -_SUREST, _SUREST) + recipe.odds
    odds = np.interp(np.arange(len(onset)) / 2, np.arange(len(odds)), odds)
    activation = (1 - recipe.network) * onset + recipe.network * odds
    length = int(PIECE_SECONDS * FRAMES_A_SECOND)
    pieces = [
        _decode(activation[first : first + length], recipe) + first for first in range(0, len(activation), length)
    ]
    beats = np.concatenate(pieces)
    if len(beats) < 3:
        return NOTHING
    beats = beats[np.concatenate([[True], np.diff(beats) >= _periods()[0]])]  # at the seams of pieces
    places, meter, meter_confidence = _bars(beats, bands, chroma)
    times = (beats + _peak_shift(activation, beats)) / FRAMES_A_SECOND
    period = float(np.median(np.diff(times)))
    return Beats(times, places, 60.0 / period, _confidence(onset, beats), meter, meter_confidence)


def _periods() -> np.ndarray:
    return np.arange(int(60 * FRAMES_A_SECOND / FASTEST), int(60 * FRAMES_A_SECOND / SLOWEST) + 1)


def _best_before(score: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each column q, the largest score[:, p] - |position[p] - position[q]| over all p, and its p.

    A cost that is linear in the distance needs no comparison of all pairs: running maxima from the left and from the
    right suffice (Felzenszwalb, Huttenlocher, Distance transforms of sampled functions, 2012).

    Args:
        score: (rows, n) scores.
        position: (n,) positions, ascending.
    """
    columns = np.arange(score.shape[1])
    directions = []
    for values, back in ((score + position, slice(None)), ((score - position)[:, ::-1], slice(None, None, -1))):
        best = np.maximum.accumulate(values, axis=1)
        argmax = np.maximum.accumulate(np.where(values == best, columns, 0), axis=1)
        directions.append((best[:, back], (argmax if back.step is None else columns[-1] - argmax)[:, back]))
    (left, from_left), (right, from_right) = directions
    left, right = left - position, right + position
    return np.maximum(left, right), np.where(left >= right, from_left, from_right)


def _decode(activation: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Frames of the beats on the best path (Viterbi)."""
    periods = _periods()
    position = (recipe.steadiness * np.log(periods)).astype(np.float32)
    shortest, longest, frames = int(periods[0]), int(periods[-1]), len(activation)
    if frames <= shortest:
        return np.empty(0, np.int64)
    seconds = periods / FRAMES_A_SECOND
    octaves = np.log2(60.0 / seconds / USUAL) / SPREAD
    tempo_prior = (-recipe.prior * seconds * 0.5 * octaves**2).astype(np.float32)
    pulse = _pulse(activation, periods) * (recipe.pulse * seconds)[None, :]
    # score[t, p]: the best path with a beat at t after a period p; onward[t, q]: the same, followed by a period q
    onward = np.full((frames + longest, len(periods)), -np.inf, np.float32)  # rows are shifted by the longest period
    back = np.zeros((frames, len(periods)), np.int16)
    before = np.zeros((frames, len(periods)), np.int16)
    scores = np.empty((frames, len(periods)), np.float32)
    reward = (activation - recipe.threshold).astype(np.float32)
    counts = ((2 * seconds) ** recipe.sparseness).astype(np.float32)
    columns = np.arange(len(periods))
    for first in range(0, frames, shortest):
        rows = np.arange(first, min(first + shortest, frames))
        arriving = onward[rows[:, None] + longest - periods[None, :], columns[None, :]]
        # a first beat may be anywhere within one period; the frames before it score as random beats would
        starting = np.where(rows[:, None] < periods[None, :], 0.0, -np.inf).astype(np.float32)
        score = np.maximum(arriving, starting) + tempo_prior + pulse[rows] + reward[rows, None] * counts
        scores[rows] = score
        onward[rows + longest], before[rows] = _best_before(score, position)
        back[rows] = np.where(arriving >= starting, 1, 0)
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
    """(frames, periods) autocorrelation of the activation at each period, in a window of 8 seconds, at most 1."""
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


def _peak_shift(activation: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """(n,) distance in frames from each beat to the peak of a parabola through it and its neighbours."""
    inner = np.clip(beats, 1, len(activation) - 2)
    left, middle, right = activation[inner - 1], activation[inner], activation[inner + 1]
    curve = left - 2 * middle + right
    shift = 0.5 * (left - right) / np.where(curve < 0, curve, -np.inf)
    return np.where(inner == beats, np.clip(shift, -0.5, 0.5), 0.0)


def _confidence(onset: np.ndarray, beats: np.ndarray) -> float:
    """Confidence from the mean of the standardized onset strength at the beats."""
    return float(np.clip(onset[beats].mean() / 2.5, 0.0, 1.0))


def _bars(beats: np.ndarray, bands: np.ndarray, chroma: np.ndarray | None) -> tuple[np.ndarray, int, float]:
    """Position of each beat in its bar, beats per bar, and the confidence of both."""
    strength = bands[beats].copy()
    evidence = 0.5 * strength[:, 0] + 0.3 * strength[:, 1]
    if chroma is not None and len(chroma):
        evidence = evidence + 1.5 * _standard(_harmonic_change(beats, chroma))
    evidence = _standard(evidence)
    best = (np.zeros(len(beats), np.int64), 0, -np.inf)
    for meter in METERS:
        for offset in range(meter):
            is_downbeat = (np.arange(len(beats)) - offset) % meter == 0
            if not is_downbeat.any():
                continue
            # without bars, the sum over downbeats of a standard normal grows with its standard deviation alone
            value = evidence[is_downbeat].sum() / np.sqrt(is_downbeat.sum())
            if value > best[2]:
                best = ((np.arange(len(beats)) - offset) % meter + 1, meter, value)
    confidence = float(np.clip(evidence[best[0] == 1].mean(), 0.0, 1.0))
    return best[0], best[1], confidence


def _harmonic_change(beats: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """(n,) distance between the pitch classes after a beat and those before it."""
    edges = np.clip(np.concatenate([[0], beats // 2, [len(chroma)]]), 0, len(chroma))
    sums = np.concatenate([np.zeros((1, 12)), np.cumsum(chroma, axis=0, dtype=np.float64)])
    parts = sums[edges[1:]] - sums[edges[:-1]]
    unit = parts / np.maximum(np.linalg.norm(parts, axis=1, keepdims=True), 1e-9)
    return 1.0 - (unit[1:] * unit[:-1]).sum(axis=1)


def _standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / max(float(values.std()), 1e-9)
