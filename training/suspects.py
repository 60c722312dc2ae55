"""What a suspected model answers to given rows, wherever it is: a file, one of our versions, an address, or a table."""

import csv
import json
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import polars as pl

from feature_repo.errors import InputError, RefrainError
from feature_repo.home import Home
from feature_repo.output.csv_text import text_of
from training.models.lightgbm_onnx import OnnxBooster
from training.models.served import ServedTabular

AT_ONCE, TIMEOUT_S = 200, 30.0
"""Rows of one request to an address, and the seconds that it may take."""
MAX_BYTES = 1 << 24
"""Maximum bytes of an answer."""
_NEXT = "refrain model own-test --help"


def answers_of(suspect: str, inputs: np.ndarray, home: Home) -> np.ndarray:
    """Return the answers (n,) of a suspect to rows (n, d) float32.

    Args:
        suspect: an ``.onnx`` file with one input of rows; a folder with ``model.onnx``; ``NAME:VERSION`` of this data
            folder; an address that answers as MLflow's scoring does, ``{"inputs": [[…]]}`` with ``{"predictions":
            […]}``; or a CSV whose last column has the answers, a line for each row.
        inputs: the rows.
        home: the data folder.

    Raises:
        InputError: there is no such suspect, or it does not answer each row with a number.
    """
    if suspect.startswith(("http://", "https://")):
        answers = _ask(suspect, inputs)
    elif Path(suspect).suffix == ".csv":
        answers = _read(Path(suspect))
    elif Path(suspect).exists():
        path = Path(suspect)
        answers = _run(path / "model.onnx" if path.is_dir() else path, inputs)
    else:
        try:
            answers = ServedTabular.load(home, suspect).onnx.predict(inputs)
        except RefrainError as error:
            raise _invalid("a file, a folder, a version, an address or a table of answers", suspect) from error
    values = np.asarray(answers, np.float64)
    if values.shape != (len(inputs),) or not np.isfinite(values).all():
        raise _invalid(f"{len(inputs)} finite answers", f"{values.shape} answers of {suspect}")
    return values


def write_rows(file: Path, inputs: np.ndarray, columns: list[str]) -> None:
    """Write rows as CSV, to be answered by a suspect that cannot be reached; missing values are empty."""
    file.write_text(text_of(pl.DataFrame(inputs.astype(np.float64), schema=columns)), encoding="utf-8")


def _run(path: Path, inputs: np.ndarray) -> np.ndarray:
    try:
        return OnnxBooster(path.read_bytes()).predict(inputs)
    except OSError as error:
        raise _invalid("an ONNX file", f"{path}: {error.strerror}") from error
    except Exception as error:  # onnxruntime raises kinds of its own, for files and for shapes
        raise _invalid(f"an ONNX model of {inputs.shape[1]} columns", f"{path}: {str(error)[:200]}") from error


def _read(path: Path) -> np.ndarray:
    answers: list[float] = []
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            for number, line in enumerate(csv.reader(lines)):
                try:
                    answers.append(float(line[-1]))
                except (ValueError, IndexError) as error:
                    if number and line:  # the first line may have names
                        raise _invalid("a number at the end of each line", f"{path}, line {number + 1}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid("a CSV with answers", f"{path}: {error}") from error
    return np.array(answers)


def _ask(address: str, inputs: np.ndarray) -> np.ndarray:
    answers: list[float] = []
    for start in range(0, len(inputs), AT_ONCE):
        rows = [[None if np.isnan(value) else float(value) for value in row] for row in inputs[start : start + AT_ONCE]]
        request = urllib.request.Request(
            address, json.dumps({"inputs": rows}).encode(), {"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
                content = json.loads(response.read(MAX_BYTES))
            answers += [float(value[-1] if isinstance(value, list) else value) for value in content["predictions"]]
        except (urllib.error.URLError, OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise _invalid('{"predictions": [numbers]} of an address', f"{address}: {error}") from error
    return np.array(answers)


def _invalid(expected: str, found: str) -> InputError:
    return InputError(expected=expected, found=found, next_command=_NEXT)
