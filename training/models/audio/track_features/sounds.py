"""The inputs of sounds that are made or recorded: what ``vocabulary.inputs`` sees of clips with and without a voice."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_repo.command_line import Progress, silent
from training.models.audio.track_features import clips
from training.models.audio.track_features.clips import Clip
from training.models.audio.track_features.crowd import before_an_audience, hall
from transforms.pure.audio.described import described
from transforms.pure.audio.track import analyze
from transforms.pure.audio.vocabulary import inputs
from transforms.pure.audio.vocabulary.sound_kind import SOUNDS

AUDIENCE = "audience"
"""Label of music before an audience; that in a hall without one counts as music."""
SPEECH_TIMES = 2
"""How often a clip of speech is recorded, each time otherwise."""


@dataclass(frozen=True)
class Sounds:
    """n sounds.

    Attributes:
        voice: (n, ``inputs.VOICE_WIDTH``).
        music: (n, ``inputs.MUSIC_WIDTH``).
        labels: (n,) one of ``SOUNDS``, ``hall`` or ``AUDIENCE``.
        sources: (n,) speaker, instrument, style or genre.
    """

    voice: np.ndarray
    music: np.ndarray
    labels: np.ndarray
    sources: np.ndarray

    def take(self, rows: np.ndarray) -> "Sounds":
        """Select sounds by a mask or by numbers."""
        return Sounds(self.voice[rows], self.music[rows], self.labels[rows], self.sources[rows])


def make_sounds(
    prompts: Path, notes: Path, fonts: Sequence[Path], *, songs: int, each: int, seed: int, progress: Progress = silent
) -> Sounds:
    """Make and analyse all sounds.

    Args:
        prompts: folder of recorded speech (``clips.speech``).
        notes: folder of the data set ``instrument-samples``.
        fonts: soundfonts.
        songs: number of songs without a voice.
        each: greatest number of clips of a speaker.
        seed: random seed.
        progress: callback after each sound.

    Raises:
        InputError: speech, fluidsynth or a soundfont is not there.
        MissingExtra: PyAV, which decodes the speech, is not installed.
    """
    voices = clips.speech(prompts, each, seed)
    music = clips.music(songs, seed, fonts, progress=progress)
    alone = clips.notes(notes)
    total = (SPEECH_TIMES + 1) * len(voices) + 3 * len(music) + len(alone)
    rows = []
    for number, (label, clip) in enumerate(_recordings(voices, music, alone, np.random.default_rng(seed))):
        features = described(analyze([clip.samples]))
        rows.append((inputs.voice(features), inputs.music(features), label, clip.source))
        progress(number + 1, total, "sounds")
    voice, music_inputs, labels, sources = zip(*rows, strict=True)
    return Sounds(np.array(voice), np.array(music_inputs), np.array(labels), np.array(sources))


def _recordings(
    voices: Sequence[Clip], music: Sequence[Clip], alone: Sequence[Clip], rng: np.random.Generator
) -> Iterator[tuple[str, Clip]]:
    def accompanied(voice: Clip) -> Clip:
        return clips.over(voice, music[int(rng.integers(len(music)))], rng)

    def with_audience(song: Clip) -> Clip:
        return before_an_audience(song, voices, rng)

    def in_hall(song: Clip) -> Clip:
        return Clip(hall(song.samples, rng).astype(np.float32), song.source)

    def dry(clip: Clip) -> Clip:
        return clip

    kinds: list[tuple[str, Sequence[Clip], Callable[[Clip], Clip]]] = [
        (SOUNDS[0], [clip for clip in voices for _ in range(SPEECH_TIMES)], dry),
        (SOUNDS[1], voices, accompanied),
        (SOUNDS[2], music, dry),
        (SOUNDS[3], alone, dry),
        (AUDIENCE, music, with_audience),
        ("hall", music, in_hall),
    ]
    for label, sources, change in kinds:
        for clip in sources:
            yield label, clips.recorded(change(clip), rng)
