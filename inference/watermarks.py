"""The owner's watermark of a served model: where its secret and its reference rows are, and how it moves answers."""

from dataclasses import dataclass

import numpy as np

from feature_repo.bundle import BACKGROUND, Bundle
from feature_repo.errors import BundleError, InputError
from feature_repo.home import Home
from feature_repo.project import Project
from feature_repo.watermark_secret import read_secret
from transforms.pure import npz
from transforms.pure.tabular.watermark import MIN_REFERENCE, Watermark


def reference_rows(bundle: Bundle) -> np.ndarray:
    """Read the reference rows of a bundle, (n, d) float32: those that explain it; (0, 0) if it has none."""
    if not (bundle.folder / BACKGROUND).is_file():
        return np.zeros((0, 0), np.float32)
    return np.asarray(npz.unpack(bundle.read(BACKGROUND))["inputs"], np.float32)


@dataclass(frozen=True)
class AnswerMark:
    """The watermark of one version, as serving applies it.

    Attributes:
        watermark: the pattern.
        strength: its strength.
        scale: standard deviation of the answers to the reference rows; for numbers.
    """

    watermark: Watermark
    strength: float
    scale: float

    @classmethod
    def load(cls, bundle: Bundle, home: Home, reference: np.ndarray, answers: np.ndarray) -> "AnswerMark | None":
        """Load the watermark that the project declares for a model; None if it declares none.

        Args:
            bundle: the model.
            home: the data folder.
            reference: (n, d) its reference rows.
            answers: (n,) its answers to them.

        Raises:
            BundleError: there is no secret yet, or the bundle has too few reference rows.
        """
        name = str(bundle.manifest["name"])
        strength = Project.load(home.project_folder).model_theft.answers_of(name).watermark
        if not strength:
            return None
        if len(reference) < MIN_REFERENCE:
            raise BundleError(
                expected=f"{MIN_REFERENCE} reference rows in {bundle.name_version}, for its watermark",
                found=f"{len(reference)}",
                next_command=f"refrain model run {name} --again  (or: no watermark of it in refrain.toml)",
            )
        try:
            secret = read_secret(home)
        except InputError as error:
            raise BundleError(expected=error.expected, found=error.found, next_command=error.next_command) from error
        return cls(Watermark.create(secret, bundle.name_version, reference), strength, float(answers.std()))

    def apply(self, answers: np.ndarray, inputs: np.ndarray, kind: str) -> np.ndarray:
        """Move answers (n,) to inputs (n, d): ``binary`` chances, or numbers."""
        if kind == "binary":
            marked = self.watermark.mark_chances(answers, inputs, self.strength)
        else:
            marked = self.watermark.mark_numbers(answers, inputs, self.strength, self.scale)
        return marked.astype(np.float32)
