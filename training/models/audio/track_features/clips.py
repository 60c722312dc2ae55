"""Sounds whose voice is known: recorded speech, music without a voice, and the one over the other.

Both kinds pass the same rooms, limiters, noise and band limits, so that no quality of a recording tells them apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.extras import MissingExtra
from training.models.audio.beat_tracking.arrangement import BASSES, PERCUSSION, Arrangement, arrange
from training.models.audio.beat_tracking.rendering import record, render
from transforms.pure.audio.decode import Resampler, mono
from transforms.pure.audio.stft import RATE
from transforms.raw.simulate.sound.song import compose
from transforms.raw.simulate.sound.style import STYLES

PROMPTS = Path("/usr/share/asterisk/sounds")
"""Where Debian's packages asterisk-core-sounds-*-g722 have recorded prompts, a folder for each speaker."""
SECONDS = 15.0
_PROMPT_RATE = 16_000
_BANDS_HZ = (None, 8_000.0, 7_000.0, 4_000.0, 3_400.0)
_AUDIBLE = 1e-3
_RHYTHM_ALONE = 0.25
"""Share of arrangements of which only drums and bass play: words are no steadier than drums without a pitch."""


@dataclass(frozen=True)
class Clip:
    """A sound: (n,) float32 samples at ``stft.RATE``, and the speaker, instrument or song that it comes from."""

    samples: np.ndarray
    source: str


def speech(folder: Path, each: int, seed: int) -> list[Clip]:
    """Join recorded prompts to clips of 6 to 20 seconds.

    Args:
        folder: a folder for each speaker, with G.722 files.
        each: greatest number of clips of a speaker.
        seed: random seed of the order and of the pauses.

    Raises:
        InputError: no prompt is there.
    """
    clips: list[Clip] = []
    for speaker in sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []:
        rng = np.random.default_rng([seed, len(clips)])
        files = sorted(speaker.glob("*.g722"))
        pieces: list[np.ndarray] = []
        seconds, wanted = 0.0, rng.uniform(6, 20)
        for number in rng.permutation(len(files)).tolist():
            prompt = _prompt(files[number])
            pieces += [prompt, np.zeros(int(rng.uniform(0.02, 0.5) * _PROMPT_RATE), np.float32)]
            seconds += len(prompt) / _PROMPT_RATE
            if seconds >= wanted:
                clips.append(Clip(_resampled(np.concatenate(pieces), _PROMPT_RATE), speaker.name))
                pieces, seconds, wanted = [], 0.0, rng.uniform(6, 20)
            if sum(clip.source == speaker.name for clip in clips) == each:
                break
    if not clips:
        raise InputError(
            expected="recorded prompts, G.722, a folder for each speaker",
            found=f"none in {folder}",
            next_command="apt-get install asterisk-core-sounds-en-g722 asterisk-core-sounds-it-g722",
        )
    return clips


def music(count: int, seed: int, fonts: Sequence[Path], *, progress: Progress = silent) -> list[Clip]:
    """Draw arrangements and simulated songs without a voice, half and half; the source is the style or the genre.

    Args:
        count: number of clips.
        seed: random seed; clip ``n`` depends on it and ``n`` alone.
        fonts: soundfonts, one of which plays an arrangement.
        progress: callback after each clip.

    Raises:
        InputError: fluidsynth or a soundfont is not there.
    """
    clips, genres = [], list(STYLES)
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        if number % 2:
            arrangement = arrange(rng, SECONDS)
            if rng.random() < _RHYTHM_ALONE:
                arrangement = _rhythm(arrangement)
            samples, source = render(arrangement, fonts[number // 2 % len(fonts)]), arrangement.style
        else:
            song = compose(genres[number // 2 % len(genres)], SECONDS, seed * 10_000 + number, rng)
            samples, source = song.samples.mean(axis=1), song.genre
        progress(number + 1, count, "songs")
        samples = samples[: int(SECONDS * RATE)].astype(np.float32)
        if len(samples) and np.abs(samples).max() >= _AUDIBLE:
            clips.append(Clip(samples, source))
    return clips


def notes(folder: Path) -> list[Clip]:
    """Read the recorded notes of the data set ``instrument-samples``; the source is the instrument."""
    files = sorted(folder.rglob("*.mp3"))
    return [Clip(np.concatenate([np.empty(0, np.float32), *mono(file, RATE)]), file.parent.name) for file in files]


def over(voice: Clip, accompaniment: Clip, rng: np.random.Generator) -> Clip:
    """A voice over music, 3 dB below to 6 dB above it."""
    count = min(len(voice.samples), len(accompaniment.samples))
    upper, lower = (clip.samples[:count].astype(np.float64) for clip in (voice, accompaniment))
    gain = 10 ** (-rng.uniform(-3, 6) / 20) * upper.std() / max(float(lower.std()), 1e-9)
    return Clip((upper + gain * lower).astype(np.float32), f"{voice.source} over {accompaniment.source}")


def recorded(clip: Clip, rng: np.random.Generator) -> Clip:
    """A clip through a room, an equalizer, a limiter, noise and a band limit, each at times."""
    from scipy.signal import butter, lfilter, sosfilt

    samples = record(clip.samples, rng) if rng.random() < 0.6 else clip.samples.astype(np.float64)
    if rng.random() < 0.8:  # the noise of a room fills what would be silent between words and notes
        hiss = lfilter([1], [1, -rng.uniform(0, 0.98)], rng.normal(size=len(samples)))
        samples = samples + hiss / hiss.std() * samples.std() * 10 ** rng.uniform(-3.2, -0.8)
    limit = _BANDS_HZ[int(rng.integers(len(_BANDS_HZ)))]
    if limit is not None:
        samples = sosfilt(butter(8, limit, fs=RATE, output="sos"), samples)
    return Clip(np.asarray(samples, np.float32), clip.source)


def _rhythm(arrangement: Arrangement) -> Arrangement:
    notes = [note for note in arrangement.notes if note.channel == PERCUSSION or note.program in BASSES]
    return replace(arrangement, notes=notes)


def _prompt(file: Path) -> np.ndarray:
    try:
        import av
    except ModuleNotFoundError as error:
        raise MissingExtra("av", "ffmpeg") from error
    with av.open(str(file), format="g722") as container:
        pieces = [frame.to_ndarray().ravel() for frame in _frames(container)]
    return np.concatenate([np.empty(0, np.int16), *pieces]).astype(np.float32) / 32_768


def _frames(container) -> Iterator:  # type: ignore[no-untyped-def,type-arg]  # classes of PyAV
    yield from container.decode(audio=0)


def _resampled(samples: np.ndarray, rate: int) -> np.ndarray:
    resampler = Resampler(rate, RATE)
    return np.concatenate([resampler.add(samples[:, None]), resampler.rest()])
