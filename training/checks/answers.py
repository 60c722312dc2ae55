"""The ONNX models answer as what was trained did, and a row by itself as it does among others."""

import io
from collections.abc import Iterator

import numpy as np

from feature_repo.bundle import GOLDEN, Bundle
from feature_repo.home import Home
from training.checks.broken import broken

TOLERANCE = 1e-4
"""Single precision, over a few hundred trees that are added up."""
ONLY = "model.onnx"


def answers_as_trained(bundle: Bundle, home: Home) -> None:
    """Of every model with golden questions: the answers that it gave when it was trained."""
    for name, session, asked, expected in _golden(bundle):
        found = _ask(session, name, asked)
        if found.shape != expected.shape or not np.allclose(found, expected, atol=TOLERANCE, rtol=1e-3):
            raise broken(bundle, f"answers of {name} as when it was trained", _apart(found, expected))


def answers_one_by_one(bundle: Bundle, home: Home) -> None:
    """A row by itself, and rows in another order, are answered as before; the questions are not changed."""
    for name, session, asked, _ in _golden(bundle):
        kept = asked.copy()
        found = _ask(session, name, asked)
        backwards = _ask(session, name, asked[::-1].copy())[::-1]
        alone = np.concatenate([_ask(session, name, asked[row : row + 1]) for row in range(min(len(asked), 4))])
        if not np.allclose(found, backwards, atol=1e-5) or not np.allclose(found[: len(alone)], alone, atol=1e-5):
            raise broken(bundle, f"answers of {name} that do not depend on other rows", "others")
        if not np.array_equal(asked, kept, equal_nan=True):
            raise broken(bundle, f"questions to {name} that stay as they are", "they were changed")


def _golden(bundle: Bundle) -> Iterator[tuple[str, object, np.ndarray, np.ndarray]]:
    if GOLDEN not in bundle.manifest["files"]:
        return
    import onnxruntime

    with np.load(io.BytesIO(bundle.read(GOLDEN)), allow_pickle=False) as file:
        told = {name: file[name] for name in file.files}
    for name in sorted({key.rpartition("__")[0] for key in told}):
        path = bundle.folder / f"{name}.onnx"
        content = (path if path.is_file() else bundle.folder / ONLY).read_bytes()
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        yield name, session, told[f"{name}__inputs"], told[f"{name}__outputs"]


def _ask(session, name: str, rows: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    """The output of that name, or else the last: chances of a yes, or numbers."""
    outputs = [one.name for one in session.get_outputs()]
    wanted = name if name in outputs else outputs[-1]
    found = np.asarray(session.run([wanted], {session.get_inputs()[0].name: np.ascontiguousarray(rows, np.float32)})[0])
    if wanted == name:
        return found
    return found[:, 1] if found.ndim == 2 and found.shape[1] == 2 else found.reshape(-1)


def _apart(found: np.ndarray, expected: np.ndarray) -> str:
    if found.shape != expected.shape:
        return f"{found.shape} answers, not {expected.shape}"
    return f"answers up to {np.nanmax(np.abs(found - expected)):.4g} apart"
