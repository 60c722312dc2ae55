"""``refrain analyze FOLDER``: one row for each file, whatever happens on the way."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile
from typer.testing import CliRunner

from feature_repo.errors import InputError
from feature_repo.home import REPOSITORY, Home
from inference.audio.analyzer import AudioAnalysisModel
from refrain.cli import app
from refrain.folder_analysis import work
from refrain.folder_analysis.rows import SCHEMA
from refrain.folder_analysis.work import analyze_folder

RATE = 22_050


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two songs, silence, a text and a file that is cut short."""
    root = tmp_path / "music"
    (root / "A").mkdir(parents=True)
    times = np.arange(3 * RATE) / RATE
    for number, name in enumerate(["A/01.wav", "A/02.flac", "b.wav"]):
        soundfile.write(root / name, 0.2 * np.sin(2 * np.pi * 220 * (number + 1) * times), RATE)
    soundfile.write(root / "silence.wav", np.zeros(RATE), RATE)
    (root / "text.mp3").write_text("no sound")
    (root / "cover.jpg").write_bytes(b"no sound either")
    return root


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_folder_becomes_a_table(
    folder: Path, tmp_path: Path, suffix: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "tables" / f"features{suffix}"
    report = analyze_folder(folder, out, home, workers=1)
    assert (report.analysed, report.known, list(report.errors)) == (5, 0, ["text.mp3"])
    read: dict[str, Any] = {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".jsonl": pl.read_ndjson}
    rows = {row["path"]: row for row in read[suffix](out).to_dicts()}
    assert list(rows) == ["A/01.wav", "A/02.flac", "b.wav", "silence.wav", "text.mp3"]
    assert rows["text.mp3"]["error"]
    alone = AudioAnalysisModel().analyze(folder / "b.wav")
    assert rows["b.wav"]["integrated_lufs"] == pytest.approx(alone.loudness.integrated_lufs)
    assert rows["b.wav"]["centroid"] == pytest.approx(alone.features["centroid"])
    assert rows["silence.wav"]["integrated_lufs"] is None
    assert len(rows["b.wav"]) == len(SCHEMA) - (6 if suffix == ".csv" else 0)
    assert [file.name for file in out.parent.iterdir()] == [out.name]
    monkeypatch.setattr(work, "row", _fail)
    again = analyze_folder(folder, out, home, workers=1)
    assert (again.analysed, again.known) == (1, 4)  # the text is tried again
    assert {row["path"]: row for row in read[suffix](out).to_dicts()} == rows


def _fail(*_: object) -> dict[str, Any]:
    raise AssertionError("a file is analysed again")


def test_a_run_that_was_stopped_goes_on(
    folder: Path, tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a last line that was not written whole; a file that changed is analysed again."""
    out, calls = tmp_path / "features.jsonl", list[Any]()
    row = work.row

    def stop_at_third(analysis: Any) -> dict[str, Any]:
        calls.append(analysis)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return row(analysis)

    monkeypatch.setattr(work, "row", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        analyze_folder(folder, out, home, workers=1)
    assert not out.exists()
    journal = tmp_path / ".features.jsonl.partial.jsonl"
    with journal.open("a") as file:
        file.write('{"path": "b.wav", "si')
    calls[:] = [None]
    with pytest.raises(KeyboardInterrupt):  # again, a row behind the torn line
        analyze_folder(folder, out, home, workers=1)
    monkeypatch.setattr(work, "row", row)
    os.utime(folder / "A" / "01.wav", (1, 1))
    report = analyze_folder(folder, out, home, workers=1)
    assert (report.analysed, report.known) == (3, 2)
    assert len([json.loads(line) for line in out.read_text().splitlines()]) == 5
    assert not journal.exists()
    (folder / "b.wav").unlink()
    analyze_folder(folder, out, home, workers=1)
    assert len(out.read_text().splitlines()) == 4


@pytest.mark.journeys
def test_a_killed_run_loses_nothing(tmp_path: Path, home: Home) -> None:
    """Two processes, killed when some files are done: the next run does the others."""
    folder, out = tmp_path / "music", tmp_path / "features.parquet"
    folder.mkdir()
    for number in range(24):
        noise = np.random.default_rng(number).normal(0, 0.1, (20 * RATE, 1))
        soundfile.write(folder / f"{number:02}.flac", noise, RATE)
    command = [sys.executable, "-m", "refrain", "analyze", str(folder), "--out", str(out), "--workers", "2"]
    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    journal = tmp_path / ".features.parquet.partial.jsonl"
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment)
    while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 3):
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not out.exists()
    done = journal.read_bytes().count(b"\n")
    assert 3 <= done < 24
    completed = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    assert f"{24 - done} files analysed, {done} were there, 0 errors" in completed.stdout
    rows = pl.read_parquet(out)
    assert rows.height == 24
    assert rows["integrated_lufs"].n_unique() == 24


def test_what_cannot_be(folder: Path, tmp_path: Path, home: Home) -> None:
    with pytest.raises(InputError, match=r"\.parquet"):
        analyze_folder(folder, tmp_path / "features.xlsx", home)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="another file"):
        analyze_folder(folder, tmp_path / "other.csv", home)
    assert (tmp_path / "other.csv").read_text() == "a,b\n1,2\n"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="none in"):
        analyze_folder(tmp_path / "empty", tmp_path / "features.csv", home)


def test_the_command(folder: Path, tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    out = tmp_path / "features.csv"
    result = CliRunner().invoke(app, ["analyze", str(folder), "--out", str(out), "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert "5 files analysed, 1 errors" in result.output
    assert "text.mp3" in result.output
    assert CliRunner().invoke(app, ["analyze", str(folder)]).exit_code == 1
    assert CliRunner().invoke(app, ["analyze", str(folder / "b.wav"), "--out", str(out)]).exit_code == 1
    page = CliRunner().invoke(app, ["analyze", str(folder / "b.wav")])
    for word in ("loudness", "integrated -", "streaming", "ReplayGain", "octaves"):
        assert word in page.output, page.output
