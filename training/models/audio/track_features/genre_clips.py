"""Real sound by kind of music: the published table of GTZAN, in the columns of ``vocabulary.inputs.music``."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from feature_repo.errors import InputError
from transforms.pure.audio.mel import COEFFICIENTS
from transforms.pure.audio.vocabulary.sound_kind import KINDS

TABLE = "features_30_sec_original.csv"
SPLITS = ("train", "valid")


@dataclass(frozen=True)
class GenreClips:
    """n clips of 30 seconds.

    Attributes:
        inputs: (n, ``inputs.MUSIC_WIDTH``).
        kinds: (n,) number of the kind in ``sound_kind.KINDS``.
        is_valid: (n,) whether the clip is of the fault-filtered list ``valid``, whose artists are not in ``train``.
    """

    inputs: np.ndarray
    kinds: np.ndarray
    is_valid: np.ndarray

    def take(self, rows: np.ndarray) -> "GenreClips":
        """Select clips by a mask or by numbers."""
        return GenreClips(self.inputs[rows], self.kinds[rows], self.is_valid[rows])


def read_genre_clips(folder: Path) -> GenreClips:
    """Read the clips of the fault-filtered lists of the data set ``gtzan-features``.

    Raises:
        InputError: the table or the lists are not there.
    """
    files = [folder / TABLE, *(folder / "index" / f"{split}_filtered.txt" for split in SPLITS)]
    if not all(file.is_file() for file in files):
        raise InputError(
            expected=f"{TABLE} and the filtered lists", found=str(folder), next_command="refrain model --help"
        )
    table = pl.read_csv(files[0], glob=False)
    lists = [{Path(line).name for line in file.read_text().split()} for file in files[1:]]
    table = table.filter(pl.col("filename").is_in(list(lists[0] | lists[1])))
    means = [table[f"mfcc{number}_mean"] for number in range(2, COEFFICIENTS + 1)]
    spreads = [np.sqrt(table[f"mfcc{number}_var"].to_numpy()) for number in range(1, COEFFICIENTS + 1)]
    shape = ("spectral_centroid_mean", "spectral_bandwidth_mean", "rolloff_mean", "zero_crossing_rate_mean")
    return GenreClips(
        np.column_stack(
            [
                *means,
                *(np.log(np.maximum(values, 1e-4)) for values in spreads),
                *(np.log(table[name].to_numpy()) for name in shape),
                table["chroma_stft_mean"],
            ]
        ),
        np.array([KINDS.index(label) for label in table["label"]]),
        table["filename"].is_in(list(lists[1])).to_numpy(),
    )
