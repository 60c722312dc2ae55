"""Problems that processes share: what comes back is what was given, arrays are mapped, and no file can run code."""

import io
import multiprocessing
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.checks.files import runs_code
from training.tuning.shared_problem import digest, with_arrays, without_arrays


@dataclass(frozen=True)
class Part:
    rows: np.ndarray
    names: tuple[str, ...]


@dataclass(frozen=True)
class Whole:
    parts: tuple[Part, ...]
    by_name: Mapping[str, np.ndarray]
    tokens: tuple[list[str], ...]
    fit: object


def whole(rows: np.ndarray) -> Whole:
    return Whole((Part(rows, ("a",)), Part(rows[::-1], ())), {"same": rows}, (["a", "b"], []), partial(max, default=0))


def test_arrays_are_mapped_files_of_numbers_each_once(tmp_path: Path) -> None:
    problem = whole(np.arange(5_000))
    shared = without_arrays(problem, tmp_path)
    assert len(pickle.dumps(shared)) < 2_000
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["0.npy", "1.npy"]
    assert not any(runs_code(path.name, path.read_bytes()) for path in tmp_path.iterdir())
    again = with_arrays(shared)
    assert isinstance(again.by_name["same"], np.memmap)
    assert digest(again) == digest(problem)
    np.testing.assert_array_equal(again.parts[1].rows, problem.parts[1].rows)
    with pytest.raises(ValueError, match="read-only"):
        again.parts[0].rows[0] = 1


def test_a_process_reads_what_it_is_given(tmp_path: Path) -> None:
    problem = whole(np.random.default_rng(0).normal(size=5_000))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_digest, (without_arrays(problem, tmp_path),)) == digest(problem)


def _digest(shared: Whole) -> str:
    return digest(with_arrays(shared))


@given(arrays.arrays(st.sampled_from(["i8", "f4", "U3", "?"]), st.integers(0, 4)), st.lists(st.text()))
def test_digests_are_equal_exactly_for_equal_contents(rows: np.ndarray, words: list[str]) -> None:
    problem = Whole((Part(rows, tuple(words)),), {}, (words,), max)
    copy = pickle.loads(pickle.dumps(problem))
    assert digest(copy) == digest(problem)
    others = [
        Whole((Part(np.append(rows, rows[:1] if len(rows) else 1), tuple(words)),), {}, (words,), max),
        Whole((Part(rows, (*words, "")),), {}, (words,), max),
        Whole((Part(rows, tuple(words)),), {"": rows}, (words,), max),
        Whole((Part(rows, tuple(words)),), {}, (words,), min),
        Whole((Part(rows.reshape(-1, 1), tuple(words)),), {}, (words,), max),
    ]
    assert len({digest(each) for each in [problem, *others]}) == 6


def test_arrays_of_objects_are_no_files(tmp_path: Path) -> None:
    problem = {"users": np.array(["a", None] * 2_000, dtype=object)}
    assert without_arrays(problem, tmp_path)["users"] is problem["users"]
    assert digest(problem) != digest({"users": problem["users"][::-1]})


def test_functions_inside_others_are_no_data() -> None:
    with pytest.raises(TypeError, match="top level"):
        digest({"fit": lambda: 1})


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_run_code(protocol: int) -> None:
    content = pickle.dumps({"a": [1, 2.5, "x"]}, protocol)
    assert "pickle" in runs_code("weights.dat", content)
    archive = io.BytesIO()
    np.savez(archive, objects=np.array([{}], dtype=object))
    assert "objects.npy" in runs_code("weights.npz", archive.getvalue())


@pytest.mark.parametrize("content", [b"", b".", b"# A card.", b'{"a": 1}', b"<p>.</p>", b"\x08\x07onnx", b"PAR1"])
def test_data_do_not(content: bytes) -> None:
    assert not runs_code("file.json", content)
