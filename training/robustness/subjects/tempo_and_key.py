"""The analysis of sounds under attack: whether a changed sound has the tempo and the key that it had unchanged."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from feature_repo.errors import InputError
from training.robustness.subject import Request, Subject
from training.robustness.subjects.audio_classifier import samples_of
from training.robustness.target import Target
from transforms.pure.audio.described import described
from transforms.pure.audio.track import analyze
from transforms.raw.importers.audio_files import track_ids

TOLERANCE = 0.04
"""Share by which two tempos may differ and count as the same, as in MIREX."""


def targets(request: Request) -> Sequence[Target[Any]]:
    """Analyses the sounds of a folder.

    Raises:
        InputError: no folder is given, or it has no sounds.
    """
    if request.sounds is None:
        raise InputError(
            expected="a folder of sounds",
            found="none",
            next_command="refrain model attack tempo_and_key --sounds FOLDER",
        )
    _, samples = samples_of(request.sounds, list(track_ids(request.sounds).values()), request)
    return targets_of(samples)


def targets_of(samples: Sequence[np.ndarray]) -> list[Target[Any]]:
    """Makes the targets of sounds (mono at 22,050 Hz): those with a tempo, and those with a key."""
    analysed = [_describe(one) for one in samples]
    made = []
    comparisons: dict[str, Callable[[Any, Any], bool]] = {"tempo": _is_same_tempo, "key": lambda a, b: bool(a == b)}
    for name, is_same in comparisons.items():
        known = [place for place, one in enumerate(analysed) if one[name] is not None]
        if known:
            made.append(_target(name, [samples[place] for place in known], [analysed[p][name] for p in known], is_same))
    return made


def _target(
    name: str, samples: Sequence[np.ndarray], truth: Sequence[Any], is_same: Callable[[Any, Any], bool]
) -> Target[Any]:
    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        answers = [_describe(one)[name] for one in changed]
        return np.array([1.0 if is_same(truth[unit], one) else -1.0 for one, unit in zip(answers, units, strict=True)])

    judged = "What the analysis says without attack counts as right; a stretched sound has another tempo."
    return Target("sounds", list(samples), margins, f"same_{name}", judged=judged, part=name)


def _is_same_tempo(first: float, second: float | None) -> bool:
    return second is not None and abs(second / first - 1) <= TOLERANCE


def _describe(samples: np.ndarray) -> dict[str, Any]:
    features = described(analyze([np.asarray(samples, np.float32)]))
    key = features["key"]
    return {"tempo": features["tempo"] or None, "key": None if key is None else f"{key} {features['mode']}"}


SUBJECT = Subject("tempo_and_key", ("sounds",), targets, is_analysis=True, about="tempo and key of sounds")
