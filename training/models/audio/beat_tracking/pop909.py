"""What is known of the beats of a song of POP909 (Wang et al., ISMIR 2020).

Each song has two annotations of its bars, both made by programs: of its MIDI file, and of the recording that it was
arranged after. Of a third of the songs they say different things: bars begin a beat, or half a bar, later in one of
them. Where they agree, they are taken for the truth.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

_NEAR_SECONDS = 0.15
_FEWEST = 0.45
"""Least share of the beats of a bar that the recording has as well; where it has none, it says nothing."""


@dataclass(frozen=True)
class SongBeats:
    """Beats of a song.

    Attributes:
        times: (n,) times in seconds, in the MIDI file.
        is_annotated: (n,) whether the annotation of the MIDI file has a downbeat here.
        is_recorded: (n,) whether the annotation of the recording has a downbeat here.
        is_downbeat: (n,) whether a bar begins here; bars of 6 whose recording has two bars of 3 are two.
        is_known: (n,) whether both annotations agree on the bar that the beat is in.
    """

    times: np.ndarray
    is_annotated: np.ndarray
    is_recorded: np.ndarray
    is_downbeat: np.ndarray
    is_known: np.ndarray

    def part(self, first: float, seconds: float) -> "SongBeats":
        """The beats of an excerpt; times are relative to its beginning."""
        inside = (self.times >= first) & (self.times < first + seconds)
        return SongBeats(
            self.times[inside] - first,
            self.is_annotated[inside],
            self.is_recorded[inside],
            self.is_downbeat[inside],
            self.is_known[inside],
        )


def song_beats(folder: Path) -> SongBeats:
    """Read the annotations of a song.

    Args:
        folder: folder of the song, with ``beat_midi.txt`` (time, downbeat of a half bar, of a bar) and
            ``beat_audio.txt`` (time, position in the bar).
    """
    midi, recording = np.loadtxt(folder / "beat_midi.txt"), np.loadtxt(folder / "beat_audio.txt")
    times, is_annotated = midi[:, 0], midi[:, 2] > 0
    has_beat = np.abs(times[:, None] - recording[None, :, 0]).min(axis=1) < _NEAR_SECONDS
    downbeats = recording[recording[:, 1] == 1, 0]
    nearest = np.abs(times[None] - downbeats[:, None]).argmin(axis=1)
    is_recorded = np.zeros(len(times), bool)
    is_recorded[nearest[np.abs(times[nearest] - downbeats) < _NEAR_SECONDS]] = True
    is_downbeat, is_known = is_annotated.copy(), np.zeros(len(times), bool)
    starts = np.flatnonzero(is_annotated)
    for start, stop in zip(starts, [*starts[1:], len(times)], strict=True):
        if has_beat[start:stop].mean() < _FEWEST:
            continue
        recorded = np.flatnonzero(is_recorded[start:stop]).tolist()
        is_known[start:stop] = recorded in ([0], [0, (stop - start) / 2])
        if stop - start == 6 and recorded == [0, 3]:
            is_downbeat[start + 3] = True
    return SongBeats(times, is_annotated, is_recorded, is_downbeat, is_known)
