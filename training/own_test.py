"""Runs the ownership test of a version: its reference rows, its secret, its clean answers and clean copies of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.watermark_secret import read_secret
from training.background import Background
from training.clean_copies import clean_copies
from training.models.served import ServedTabular
from training.ownership import OwnershipTest, find_watermark
from training.reviews import version_of
from training.suspects import answers_of
from transforms.pure.tabular.watermark import MIN_REFERENCE, Watermark


@dataclass(frozen=True)
class OwnModel:
    """Our version, as a test needs it.

    Attributes:
        name_version: name and version, such as ``churn_model:3``.
        model: the served model.
        inputs: (n, d) float32, its reference rows.
        columns: (d,) names of their columns.
    """

    name_version: str
    model: Any
    inputs: np.ndarray
    columns: tuple[str, ...]


def prepare(home: Home, name: str) -> OwnModel:
    """Read a version and its reference rows.

    Raises:
        BundleError: there is no such version of a model of rows.
        InputError: it has too few reference rows.
    """
    model_name, version = version_of(home, name)
    name_version = f"{model_name}:{version}"
    model = ServedTabular.load(home, name_version)
    background = Background.read(model.folder)
    if background is None or len(background.inputs) < MIN_REFERENCE:
        raise InputError(
            expected=f"{MIN_REFERENCE} reference rows in {name_version}",
            found="fewer",
            next_command=f"refrain model run {model_name} --again",
        )
    return OwnModel(name_version, model.onnx, np.asarray(background.inputs, np.float32), background.columns)


def run(home: Home, name: str, suspect: str) -> OwnershipTest:
    """Test whether a suspect learned from the marked answers of a version.

    Args:
        home: the data folder.
        name: our model, or a version of it.
        suspect: see ``training.suspects.answers_of``.

    Raises:
        BundleError: there is no such version of a model of rows.
        InputError: there is no secret, too few reference rows, or the suspect does not answer.
    """
    own, secret = prepare(home, name), read_secret(home)
    answers = answers_of(suspect, own.inputs, home)
    mark = Watermark.create(secret, own.name_version, own.inputs)
    clean = np.asarray(own.model.predict(own.inputs), np.float64)
    copies = clean_copies(own.model.predict, own.inputs)(own.inputs)
    return find_watermark(mark, own.inputs, answers, clean, copies)
