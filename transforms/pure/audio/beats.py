"""Tempo, beats and downbeats: a bar pointer, decoded by Viterbi.

The hidden state is the period of the current beat and the position within it (Whiteley, Cemgil, Godsill, Bayesian
modelling of temporal structure in musical audio, ISMIR 2006), on the grid of Krebs, Böck, Widmer, An efficient
state-space model for joint tempo and meter tracking (ISMIR 2015): a period is a whole number of frames, and changes at
beats only. Between beats the pointer is deterministic, so that the best path is found from beat to beat, over the
period of the last beat and that of this one. No beat follows another within the shortest period, so that frames are
decoded in blocks of this length. What is decoded is the strength of onsets and, by ``beat_network``, the log odds of a
beat. A second pass (``bar_network``, ``bars``) assigns each beat its position in a bar.
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio import bar_features, bar_network, bars, beat_level, tempo
from transforms.pure.audio.beat_network import BeatEvidence
from transforms.pure.audio.onsets import FRAMES_A_SECOND
from transforms.pure.audio.stft import STRIDE

SLOWEST, FASTEST = 30.0, 320.0
"""Range of tempos in beats per minute."""
_DECODED = 210.0
"""Fastest tempo that is decoded; faster ones are found at half their tempo (``beat_level``)."""
_FINE_BELOW = 90
"""Period in frames (57 beats per minute) from which on every second one is enough."""
USUAL, SPREAD = 115.0, 0.75
"""Prior of the tempo: mean in beats per minute, and standard deviation of its logarithm in octaves."""
PIECE_SECONDS = 600.0
"""Longest sound that is decoded at once; longer ones are decoded in pieces, so that memory is bounded."""
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
    network: float = 0.8
    odds: float = 1.5
    sparseness: float = 0.4


DEFAULT = Recipe()


@dataclass(frozen=True)
class Beats:
    """The beats of one sound.

    Attributes:
        times: (n,) times of the beats in seconds.
        places: (n,) position of each beat in its bar, from 1; 1 is a downbeat.
        tempo: beats per minute; NaN with fewer than two beats.
        confidence: 0 to 1, strength of onsets at the beats above chance.
        meter: beats per bar, of most of the beats; 0 if unknown.
        meter_confidence: 0 to 1, how much more likely downbeats are downbeats than other beats are.
        strengths: (n,) 0 to 1, how likely each beat is a beat, by what the network hears there.
        downbeat_strengths: (n,) 0 to 1, how likely each beat begins a bar, by what the network hears around it.
        tempos: candidates for the tempo: beats per minute, and a strength; the strongest first. Strengths add up to 1.
    """

    times: np.ndarray
    places: np.ndarray
    tempo: float
    confidence: float
    meter: int
    meter_confidence: float
    strengths: np.ndarray
    downbeat_strengths: np.ndarray
    tempos: tuple[tuple[float, float], ...]

    @property
    def downbeats(self) -> np.ndarray:
        """Times of the downbeats in seconds."""
        return self.times[self.places == 1]


NOTHING = Beats(np.empty(0), np.empty(0, np.int64), float("nan"), 0.0, 0, 0.0, np.empty(0), np.empty(0), ())


def track(standard: np.ndarray, evidence: BeatEvidence, chroma: np.ndarray, recipe: Recipe = DEFAULT) -> Beats:
    """Find the beats of a sound.

    Args:
        standard: (frames, 3) onset strengths from ``onsets.standardized``.
        evidence: what ``beat_network`` says of every second frame.
        chroma: (about frames / 2, 12) pitch classes of every second frame.
        recipe: weights of the decoder.
    """
    if len(standard) < 2 * FRAMES_A_SECOND or not (standard > 0).any():
        return NOTHING
    bands = np.clip(standard, -1.0, 4.0)
    onset = np.convolve(bands @ np.asarray(recipe.bands), [0.25, 0.5, 0.25], mode="same")
    onset /= max(float(onset.std()), 1e-9)
    odds = np.clip(evidence.log_odds[:, 0], -_SUREST, _SUREST) + recipe.odds
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
    twice = 60 * FRAMES_A_SECOND / float(np.median(np.diff(beats))) * 2
    if twice <= FASTEST and beat_level.is_half(beats, evidence.log_odds[:, 0], onset):
        beats = beat_level.doubled(beats, activation)
    times = (beats + _peak_shift(activation, beats)) / FRAMES_A_SECOND
    period = float(np.median(np.diff(times)))
    coarse = np.round(times * FRAMES_A_SECOND / STRIDE).astype(np.int64)
    features = bar_features.of_beats(coarse, evidence.bands, evidence.log_odds, chroma)
    downbeat_odds = bar_network.of_features(features)
    places, meters = bars.decode(downbeat_odds)
    downbeat_strengths = _probability(downbeat_odds)
    at_beats = bar_features.near(evidence.log_odds[:, :1], coarse)[:, 0]
    return Beats(
        times,
        places,
        60.0 / period,
        _confidence(onset, beats),
        int(np.bincount(meters).argmax()),
        _contrast(downbeat_strengths, places == 1),
        _probability(at_beats),
        downbeat_strengths,
        tempo.candidates(activation, _periods(FASTEST), 60.0 / period, USUAL, SPREAD),
    )


def _periods(fastest: float = _DECODED) -> np.ndarray:
    """Periods in frames, from that of the fastest tempo on."""
    shortest, longest = int(60 * FRAMES_A_SECOND / fastest), int(60 * FRAMES_A_SECOND / SLOWEST)
    return np.concatenate([np.arange(shortest, _FINE_BELOW), np.arange(_FINE_BELOW, longest + 1, 2)])


def _probability(log_odds: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds.astype(np.float64), -30, 30))))


def _contrast(strengths: np.ndarray, is_chosen: np.ndarray) -> float:
    """The mean of those that are chosen less that of the others, 0 to 1."""
    others = float(strengths[~is_chosen].mean()) if not is_chosen.all() else 0.0
    chosen = float(strengths[is_chosen].mean()) if is_chosen.any() else 0.0
    return float(np.clip(chosen - others, 0.0, 1.0))


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
    flat = onward.reshape(-1)
    # where the scores of paths lie that arrive after each period, for the first rows
    places = (np.arange(shortest)[:, None] + longest - periods) * len(periods) + np.arange(len(periods))
    for first in range(0, frames, shortest):
        rows = np.arange(first, min(first + shortest, frames))
        arriving = flat.take(places[: len(rows)] + first * len(periods))
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
        count = max(frames - period, 0)  # none in a last piece that is shorter than the period
        product = np.concatenate([[0.0], np.cumsum(positive[period:] * positive[:count])])
        stop = np.minimum(last, count)
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
