"""The comparison with models of the field: what rivals get, what becomes of their answers, and of their failures."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from benchmarks.compare import run
from benchmarks.compare.contest import TRUTH, Contest, Scores
from benchmarks.compare.environments import NotInstalled, environment
from benchmarks.compare.rival import requirements_of, rivals_of, run_rival
from benchmarks.compare.run import compare, contests, page

CASES = 30

GOOD = """
import sys
from pathlib import Path
import polars as pl
REQUIREMENTS = ["polars"]
folder, out = map(Path, sys.argv[1:])
assert sorted(path.name for path in folder.iterdir()) == ["given.parquet"]
given = pl.read_parquet(folder / "given.parquet")
given.select("case", answer=pl.col("value") * 2 + 0.5).write_parquet(out)
"""
RAISING = "REQUIREMENTS = []\nraise ValueError('no convergence')\n"
SILENT = "REQUIREMENTS = []\n"
STRANGE = GOOD.replace('"case", answer=', '"case", reply=')


def prepare(data: Path, folder: Path, size: int) -> None:
    rows = pl.DataFrame({"case": [f"c{n}" for n in range(size or CASES)], "value": range(size or CASES)})
    rows.write_parquet(folder / "given.parquet")
    rows.select("case", truth=pl.col("value") * 2.0).write_parquet(folder / TRUTH)


def answer(folder: Path) -> Mapping[str, pl.DataFrame]:
    return {"refrain": pl.read_parquet(folder / "given.parquet").select("case", answer=pl.col("value") * 2.0)}


def score(folder: Path, answers: pl.DataFrame) -> Scores:
    joined = pl.read_parquet(folder / TRUTH).join(answers, on="case", how="left")
    errors = joined.select("case", error=(pl.col("answer") - pl.col("truth")).abs())
    return Scores(dict(errors.iter_rows()), {}, {"answered": float(joined["answer"].is_not_null().sum())})


CONTEST = Contest("doubling", "nothing", "error", False, "Numbers are to be doubled.", prepare, answer, score)


def written(folder: Path, **programs: str) -> list[Path]:
    for name, text in programs.items():
        (folder / f"{name}.py").write_text(text)
    return sorted(folder.glob("*.py"))


def test_rivals_are_scored_alike_and_their_failures_are_named(tmp_path: Path) -> None:
    programs = written(tmp_path, good=GOOD, raising=RAISING, silent=SILENT, strange=STRANGE)
    result = compare(CONTEST, tmp_path, programs=programs, python=Path(sys.executable))
    assert list(result["figures"]) == ["refrain", "good"]
    assert result["figures"]["good"]["error"] == [0.5, 0.5, 0.5]
    assert result["figures"]["good"]["we_are"] == "better than good by 0.5000 (0.5000 to 0.5000)"
    assert set(result["failures"]) == {"raising", "silent", "strange"}
    assert result["failures"]["raising"] == "failed: ValueError: no convergence"
    assert "no answers" in result["failures"]["silent"]
    assert "ColumnNotFoundError" in result["failures"]["strange"]
    text = page(CONTEST, json.loads(json.dumps(result)))
    assert "| good | 0.5000 (0.5000 to 0.5000) | 30.0 |" in text
    assert "| raising | failed: ValueError: no convergence |" in text
    assert all(len(line) <= 120 or line.startswith("|") for line in text.splitlines())


def test_the_size_bounds_the_cases(tmp_path: Path) -> None:
    assert compare(CONTEST, tmp_path, size=5, programs=[])["cases"] == 5


def test_a_rival_that_cannot_be_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Path:
        raise NotInstalled("ERROR: no matching distribution")

    monkeypatch.setattr("benchmarks.compare.rival.environment", fail)
    (program,) = written(tmp_path, good=GOOD)
    assert run_rival(program, tmp_path).failure == "not installed: ERROR: no matching distribution"


def test_every_contest_has_rivals_whose_requirements_are_locked() -> None:
    lock = (Path(run.__file__).parent / "rivals.lock").read_text()
    locked = {line.partition("==")[0].lower() for line in lock.splitlines()}
    assert set(contests()) == {"recommendation", "anomaly", "forecasting"}
    for name in contests():
        programs = rivals_of(name)
        assert len(programs) >= 2
        for program in programs:
            assert requirements_of(program)
            assert set(requirements_of(program)) <= locked, program


def test_an_unknown_rival_is_one_error() -> None:
    with pytest.raises(SystemExit, match="found nobody"):
        run.main(["anomaly", "--rivals", "nobody"])


@pytest.mark.extras
def test_an_environment_is_made_once_and_runs_a_rival(tmp_path: Path) -> None:
    (program,) = written(tmp_path, good=GOOD)
    result = compare(CONTEST, tmp_path, programs=[program], cache=tmp_path / "cache")
    assert result["failures"] == {}
    python = environment(["polars"], tmp_path / "cache")
    assert python.exists()
    assert len(list((tmp_path / "cache").iterdir())) == 1
    with pytest.raises(NotInstalled):
        environment(["no-such-package-of-refrain"], tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 1
