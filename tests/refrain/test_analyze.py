"""``refrain analyze FOLDER``: one row for each file, whatever happens on the way."""

import io
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
from inference.audio import structure_file
from inference.audio.analyzer import AudioAnalysisModel
from inference.audio.console_output import as_lines
from refrain.cli import app
from refrain.folder_analysis import work
from refrain.folder_analysis.rows import SCHEMA
from refrain.folder_analysis.work import analyze_folder
from transforms.pure.audio.structure.fingerprint_distance import likeness
from transforms.pure.audio.structure.fingerprint_text import from_text

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
    assert CliRunner().invoke(app, ["analyze", str(folder / "b.wav"), "--workers", "2"]).exit_code == 1
    page = CliRunner().invoke(app, ["analyze", str(folder / "b.wav")])
    for word in ("loudness", "integrated -", "streaming", "ReplayGain", "octaves"):
        assert word in page.output, page.output


@pytest.mark.parametrize("suffix", [".json", ".jams", ".csv", ".parquet"])
def test_the_structure_of_a_file(folder: Path, tmp_path: Path, home: Home, suffix: str) -> None:
    analysis = AudioAnalysisModel().analyze(folder / "b.wav", fingerprint=True)
    out = tmp_path / "new" / f"b{suffix}"
    structure_file.write(analysis, out)
    first = out.read_bytes()
    structure_file.write(AudioAnalysisModel().analyze(folder / "b.wav", fingerprint=True), out)
    assert out.read_bytes() == first
    assert [file.name for file in out.parent.iterdir()] == [out.name]
    if suffix == ".json":
        values = json.loads(first)
        assert values["track"]["duration"] == values["sections"][0]["duration"] == 3.0
        assert values["track"]["loudness"] == pytest.approx(analysis.loudness.integrated_lufs, abs=0.001)
        np.testing.assert_array_equal(from_text(values["track"]["fingerprint"]), from_text(analysis.fingerprint))
        assert analysis.fingerprint
    elif suffix == ".jams":
        assert json.loads(first)["file_metadata"]["title"] == "b"
    else:
        table = pl.read_csv(out) if suffix == ".csv" else pl.read_parquet(out)
        assert table["kind"].unique(maintain_order=True).to_list()[:2] == ["track", "section"]
        assert table.filter(pl.col("kind") == "segment")["duration"].sum() == pytest.approx(3.0)


def test_the_command_writes_a_structure(
    folder: Path, tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    sound, out = str(folder / "b.wav"), tmp_path / "song.json"
    result = CliRunner().invoke(app, ["analyze", sound, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert f"structure: {out}" in result.output
    assert json.loads(out.read_text())["track"]["key"] == 4  # E, 660 Hz
    printed = CliRunner().invoke(app, ["analyze", sound, "--json", "--out", str(out)])
    assert json.loads(printed.output)["seconds"] == 3.0  # nothing else is printed
    wrong = CliRunner().invoke(app, ["analyze", sound, "--out", str(tmp_path / "song.txt")])
    assert wrong.exit_code == 1
    assert not (tmp_path / "song.txt").exists()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_structure_does_not_replace_the_table_of_a_folder(
    folder: Path, tmp_path: Path, home: Home, suffix: str
) -> None:
    out = tmp_path / f"features{suffix}"
    analyze_folder(folder, out, home, workers=1)
    before = out.read_bytes()
    with pytest.raises(InputError, match="another table"):
        structure_file.check(out)
    assert out.read_bytes() == before
    (tmp_path / f"damaged{suffix}").write_bytes(b"")
    with pytest.raises(InputError, match="another table"):
        structure_file.check(tmp_path / f"damaged{suffix}")


def test_sections_and_fades_are_printed() -> None:
    rate, times = 22_050, np.arange(16 * 22_050) / 22_050
    pluck = 0.2 * np.exp(-3 * (times % 0.5))
    parts = [pluck * np.sin(2 * np.pi * 220 * times), pluck * np.sign(np.sin(2 * np.pi * 311.1 * times))] * 2
    sound = np.concatenate(parts) * np.clip((64 - np.arange(64 * rate) / rate) / 8, 0, 1)
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format="WAV")
    lines = list(as_lines(AudioAnalysisModel().analyze(file.getvalue())))
    (sections,) = (line for line in lines if line.startswith("sections"))
    assert sections.startswith("sections     4, from 0:00, 0:1")
    (fades,) = (line for line in lines if line.startswith("fades"))
    assert fades.startswith("fades        out from 0:5")


def test_the_table_has_fingerprints_by_which_copies_are_found(folder: Path, tmp_path: Path, home: Home) -> None:
    rng = np.random.default_rng(0)
    for name in ("song", "another"):
        pitches = 220 * 2 ** (rng.integers(0, 24, 48).repeat(RATE // 4) / 12)
        soundfile.write(folder / f"{name}.wav", 0.2 * np.sin(np.cumsum(2 * np.pi * pitches / RATE)), RATE)
    soundfile.write(folder / "copy.ogg", soundfile.read(folder / "song.wav")[0] / 2, RATE)
    analyze_folder(folder, tmp_path / "features.csv", home, workers=1)
    rows = pl.read_csv(tmp_path / "features.csv").filter(pl.col("fingerprint").is_not_null())
    prints = {row["path"]: from_text(row["fingerprint"]) for row in rows.to_dicts()}
    assert likeness(prints["song.wav"], prints["copy.ogg"]).is_same_recording
    assert not likeness(prints["song.wav"], prints["another.wav"]).is_same_recording
    assert not likeness(prints["b.wav"], prints["A/01.wav"]).is_same_recording  # too short to say so
