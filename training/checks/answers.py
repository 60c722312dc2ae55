"""Checks that the ONNX models answer as the trained model did, and that a row's answer is independent of other rows."""

from collections.abc import Iterator

import numpy as np

from feature_repo.bundle import GOLDEN, Bundle
from feature_repo.home import Home
from training.checks.broken import broken
from transforms.pure import npz

TOLERANCE = 1e-4
"""Tolerance for single precision over a sum of a few hundred trees."""
ONLY = "model.onnx"


def answers_as_trained(bundle: Bundle, home: Home) -> None:
    """Checks every model with golden inputs: it gives the answers that it gave when it was trained."""
    for name, session, inputs, expected in _golden(bundle):
        answers = _predict(session, name, inputs)
        if answers.shape != expected.shape or not np.allclose(answers, expected, atol=TOLERANCE, rtol=1e-3):
            raise broken(bundle, f"answers of {name} as when it was trained", _difference(answers, expected))


def answers_one_by_one(bundle: Bundle, home: Home) -> None:
    """Checks that single rows, and rows in another order, get the same answers, and that the inputs are not changed."""
    for name, session, inputs, _ in _golden(bundle):
        inputs_before = inputs.copy()
        answers = _predict(session, name, inputs)
        backwards = _predict(session, name, inputs[::-1].copy())[::-1]
        alone = np.concatenate([_predict(session, name, inputs[row : row + 1]) for row in range(min(len(inputs), 4))])
        if not np.allclose(answers, backwards, atol=1e-5) or not np.allclose(answers[: len(alone)], alone, atol=1e-5):
            raise broken(bundle, f"answers of {name} that do not depend on other rows", "other answers")
        if not np.array_equal(inputs, inputs_before, equal_nan=True):
            raise broken(bundle, f"inputs of {name} that stay as they are", "they were changed")


def _golden(bundle: Bundle) -> Iterator[tuple[str, object, np.ndarray, np.ndarray]]:
    if GOLDEN not in bundle.manifest["files"]:
        return
    import onnxruntime

    arrays = npz.unpack(bundle.read(GOLDEN))
    for name in sorted({key.rpartition("__")[0] for key in arrays}):
        file = f"{name}.onnx"
        content = bundle.read(file if (bundle.folder / file).is_file() else ONLY)
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        yield name, session, arrays[f"{name}__inputs"], arrays[f"{name}__outputs"]


def _predict(session, name: str, rows: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Returns the output of that name, or else the last: chances of a yes, or numbers."""
    outputs = [output_info.name for output_info in session.get_outputs()]
    output = name if name in outputs else outputs[-1]
    answers = np.asarray(
        session.run([output], {session.get_inputs()[0].name: np.ascontiguousarray(rows, np.float32)})[0]
    )
    if output == name:
        return answers
    return answers[:, 1] if answers.ndim == 2 and answers.shape[1] == 2 else answers.reshape(-1)


def _difference(answers: np.ndarray, expected: np.ndarray) -> str:
    if answers.shape != expected.shape:
        return f"{answers.shape} answers, not {expected.shape}"
    return f"answers up to {np.nanmax(np.abs(answers - expected)):.4g} apart"
