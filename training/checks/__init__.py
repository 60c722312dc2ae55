"""Checks of a bundle of any family: run before it is registered, and by the tests for all models.

Each file has one check, a function of a bundle and the data folder that raises ``BundleError`` with the problem.
``tests/training/checks`` tries each of them on broken bundles.
"""

import json
from collections.abc import Callable
from pathlib import Path

from feature_repo.bundle import MANIFEST, Bundle
from feature_repo.home import Home
from training.checks.answers import answers_as_trained, answers_one_by_one
from training.checks.files import files_are_whole
from training.checks.manifest import manifest_is_complete
from training.checks.onnx_models import onnx_models_load
from training.checks.service import service_is_applied

CHECKS: tuple[Callable[[Bundle, Home], None], ...] = (
    manifest_is_complete,
    files_are_whole,
    service_is_applied,
    onnx_models_load,
    answers_as_trained,
    answers_one_by_one,
)


def check_bundle(folder: Path, home: Home) -> None:
    """Runs all checks on the bundle in a folder.

    Raises:
        BundleError: the bundle fails a check.
    """
    bundle = Bundle(folder, json.loads((folder / MANIFEST).read_text()))
    for check in CHECKS:
        check(bundle, home)


__all__ = ["CHECKS", "check_bundle"]
