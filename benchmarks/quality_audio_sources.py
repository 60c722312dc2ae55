"""Classes and ``unknown`` across sources: a soundfont, recorders or a collection that were not learned from.

*Soundfonts.* Notes of 26 programs in 16 families, rendered by TimGM6mb and OPL-3 to learn from; asked are notes of
FluidR3, which was not looked at. A third of the families is left out in turn, as unseen classes. *Recorders.* Learned
from notes of TimGM6mb as they are; asked are other notes of it through equalizers, rooms, saturation and noise that the
beat network was trained with, and that the shipped directions were not learned from. *Collection.* Recorded notes of
four instruments, asked of a model of all three soundfonts. Beside it, the plain Mahalanobis distance with a limit at
98 % of left-out notes, as it was until the relative one.

Judged on: sources that were not looked at while the method was chosen. TimGM6mb and OPL-3 are development.

    python -m benchmarks.quality_audio_sources
"""

import argparse
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.surroundings import MACHINE, data_set
from training.models.audio import heads
from training.models.audio.beat_tracking.arrangement import Arrangement, Note
from training.models.audio.beat_tracking.rendering import record, render_midi, write_midi
from training.models.audio.distance import LIMIT
from training.models.audio.recorders import shifts
from training.models.audio.tasks import Task
from transforms.pure.audio.described import described, vector
from transforms.pure.audio.listen import listen
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.track import analyze

FONTS = Path("/usr/share/sounds/sf2")
LEARNED, HELD_OUT = ("TimGM6mb", "OPL-3_FM_128M"), "FluidR3_GM"
FAMILIES = {
    "piano": (0,),
    "electric piano": (4,),
    "harpsichord": (6,),
    "bells": (8, 11),
    "mallets": (12, 108),
    "organ": (16,),
    "accordion": (21,),
    "guitar": (24, 26),
    "distorted guitar": (30,),
    "bass": (32, 36),
    "strings": (40, 42, 48),
    "choir": (52,),
    "brass": (56, 60),
    "reed": (65, 68, 71),
    "flute": (73,),
    "synth": (81,),
}
"""Family → programs of General MIDI, from 0."""
COLLECTED = {"guitar": "guitar", "piano": "piano", "violin": "strings", "xylophone": "mallets"}
"""Instrument of the recorded notes → family."""
NOTES, SECONDS, PARTS = 16, 2.0, 3


def sources() -> list[dict[str, Any]]:
    """Measure classes and unknown sounds by sources that were left out.

    Raises:
        InputError: fluidsynth or a soundfont is not there.
    """
    sounds = {font: _notes(font) for font in (*LEARNED, HELD_OUT)}
    vectors = {font: _vectors([samples for _, samples in notes]) for font, notes in sounds.items()}
    families = {font: np.array([family for family, _ in notes]) for font, notes in sounds.items()}
    learned = np.concatenate([vectors[font] for font in LEARNED])
    learned_families = np.concatenate([families[font] for font in LEARNED])
    font_numbers = np.repeat([0, 1], [len(vectors[font]) for font in LEARNED])
    case = f"{len(learned)} notes of two soundfonts, {len(vectors[HELD_OUT])} of a third"
    cases = _cases(case, learned, learned_families, font_numbers, vectors[HELD_OUT], families[HELD_OUT])
    clean, clean_families = vectors[LEARNED[0]], families[LEARNED[0]]
    rng = np.random.default_rng(0)
    is_test = np.arange(len(clean)) % 4 == 3
    test_sounds = [samples for (_, samples), is_in in zip(sounds[LEARNED[0]], is_test, strict=True) if is_in]
    recorded = _vectors([record(samples, rng) for samples in test_sounds])
    case = f"{int((~is_test).sum())} notes of one soundfont, {int(is_test.sum())} others through recorders"
    cases += _cases(case, clean[~is_test], clean_families[~is_test], None, recorded, clean_families[is_test])
    return cases + _collection(vectors, families)


def _collection(vectors: dict[str, np.ndarray], families: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    folder = data_set("instrument-samples")
    table = pl.read_csv(folder / "labels.csv").filter(
        pl.col("path").map_elements(lambda path: (folder / path).is_file(), return_dtype=pl.Boolean),
        pl.col("instrument").is_in(list(COLLECTED)),
    )
    inputs = np.array([vector(described(listen(folder / path).analysis)) for path in table["path"].to_list()])
    test_families = np.array([COLLECTED[name] for name in table["instrument"].to_list()])
    learned = np.concatenate(list(vectors.values()))
    font_numbers = np.repeat(range(len(vectors)), [len(rows) for rows in vectors.values()])
    case = f"{len(learned)} notes of three soundfonts, {len(inputs)} recorded ones"
    return _cases(case, learned, np.concatenate(list(families.values())), font_numbers, inputs, test_families)


def _cases(
    case: str,
    inputs: np.ndarray,
    families: np.ndarray,
    source_numbers: np.ndarray | None,
    test_inputs: np.ndarray,
    test_families: np.ndarray,
) -> list[dict[str, Any]]:
    """Leave each third of the families out, and return the figures over all of the thirds."""
    from sklearn.metrics import roc_auc_score

    names = np.random.default_rng(0).permutation(sorted(FAMILIES))
    is_unseen, is_right = [], []
    distances: dict[str, list[np.ndarray]] = {"ours": [], "plain": []}
    for part in np.array_split(names, PARTS):
        train = ~np.isin(families, part)
        classes = tuple(sorted(set(families[train].tolist())))
        task = Task("family", "one_of", classes, (families[train][:, None] == np.array(classes)).astype(np.float64))
        groups = np.arange(int(train.sum())) // 4
        model = heads.fit(
            inputs[train],
            [task],
            groups,
            sources=None if source_numbers is None else source_numbers[train],
            shifts=shifts(),
        )
        answers, values = model.answers(test_inputs)
        distances["ours"].append(values)
        distances["plain"].append(_plain(inputs[train], groups, test_inputs))
        unseen = np.isin(test_families, part)
        is_unseen.append(unseen)
        is_right.append((np.array(classes)[answers["family"].argmax(axis=1)] == test_families)[~unseen])
    unseen = np.concatenate(is_unseen)
    figures = {"accuracy of known classes, ours": float(np.concatenate(is_right).mean())}
    for rival, parts in distances.items():
        values = np.concatenate(parts)
        figures |= {
            f"known called unknown, {rival}": float((values[~unseen] > LIMIT).mean()),
            f"unseen called unknown, {rival}": float((values[unseen] > LIMIT).mean()),
            f"AUC of unseen, {rival}": float(
                np.mean(
                    [
                        roc_auc_score(flags, one)
                        for flags, one in zip(is_unseen, parts, strict=True)
                        if 0 < flags.mean() < 1
                    ]
                )
            ),
        }
    return [{"case": case, "metric": name, "value": round(value, 3)} for name, value in figures.items()]


def _plain(inputs: np.ndarray, groups: np.ndarray, test_inputs: np.ndarray) -> np.ndarray:
    """Return Mahalanobis distances, of which 98 % of the rows of left-out groups have at most 1."""
    from sklearn.covariance import LedoitWolf

    middle, spread = np.nanmean(inputs, axis=0), np.nanstd(inputs, axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    rows, test_rows = (
        np.clip(np.nan_to_num((values - middle) / scale), -heads.CLIP, heads.CLIP) for values in (inputs, test_inputs)
    )
    left_out = np.zeros(len(rows))
    for part in np.array_split(np.random.default_rng(0).permutation(np.unique(groups)), heads.FOLDS):
        is_left_out = np.isin(groups, part)
        left_out[is_left_out] = LedoitWolf().fit(rows[~is_left_out]).mahalanobis(rows[is_left_out])
    values = LedoitWolf().fit(rows).mahalanobis(test_rows) / np.quantile(left_out, 0.98)
    return np.asarray(np.sqrt(values))


def _notes(font: str) -> list[tuple[str, np.ndarray]]:
    """Return family and samples of ``NOTES`` notes of each program."""
    notes = []
    for family, programs in FAMILIES.items():
        for program in programs:
            rng = np.random.default_rng([program, len(font)])
            keys = np.linspace(45, 81, NOTES).astype(int) + rng.integers(-1, 2, NOTES)
            played = [
                Note(0, program, number * SECONDS, float(rng.uniform(0.6, 1.8)), int(key), int(rng.integers(50, 120)))
                for number, key in enumerate(keys)
            ]
            sound = _render(played, font)
            starts = [int(number * SECONDS * RATE) for number in range(NOTES)]
            parts = [sound[start : start + int(SECONDS * RATE)] for start in starts]
            notes += [(family, part) for part in parts if len(part) > RATE // 2 and np.abs(part).max() > 1e-3]
    return notes


def _render(notes: list[Note], font: str) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        midi = Path(folder) / "notes.mid"
        write_midi(Arrangement("", notes, np.empty(0), np.empty(0), {0: 127}), midi)
        return render_midi(midi, FONTS / f"{font}.sf2")


def _vectors(sounds: list[np.ndarray]) -> np.ndarray:
    return np.array([vector(described(analyze([samples]))) for samples in sounds])


def main() -> None:
    """Run the benchmark and print one line of JSON."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    data_set("instrument-samples")
    warnings.simplefilter("ignore")
    print(json.dumps({"benchmark": "quality_audio_sources", "machine": MACHINE, "cases": sources()}))


if __name__ == "__main__":
    main()
