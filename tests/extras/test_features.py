"""The extras that make features: ``transforms`` a tiny world, ``text`` texts, ``audio`` sound files."""

import io
import json
import os
import wave
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.environments import Environment
from tests.extras.conftest import Make

pytestmark = pytest.mark.extras

LOOKUP = """
import json, sys
from refrain import OnlineFeatures
service, key, *keys = sys.argv[1:]
values = OnlineFeatures(service).get({key: keys}).values
columns = {name: list(column) for name, column in values.items()}
print(json.dumps(columns, default=lambda vector: vector.tolist()))
"""


def lookup(environment: Environment, service: str, key: str, *keys: str, **variables: str) -> dict[str, list]:
    output = environment.run("python", "-c", LOOKUP, service, key, *keys, **variables).stdout
    values: dict[str, list] = json.loads(output)
    return values


def make_features(environment: Environment, **variables: str) -> None:
    """Builds, applies, brings online, and compares what is online with the tables."""
    environment.refrain("build", **variables)
    environment.refrain("apply", **variables)
    environment.refrain("materialize", **variables)
    assert "nothing to mend" in environment.refrain("doctor", **variables).stdout


def test_transforms(make: Make) -> None:
    environment, now = make("transforms"), {"REFRAIN_NOW": "2026-01-11T00:00:00"}
    size = ("--users", "60", "--tracks", "150", "--days", "10", "--plays", "3000")
    environment.refrain("simulate", *size, **now)
    make_features(environment, **now)
    values = lookup(environment, "user_behavior_v1", "user_id", "u000001", "nobody", **now)
    assert max(column[0] or 0 for name, column in values.items() if name.endswith("plays_7d")) > 0
    assert all(column[1] in (None, 0, 0.0) for column in values.values())
    error = environment.refrain("simulate-sound", "--songs", "2", "--seconds", "2", code=1, **now).stderr
    assert "python -m pip install 'refrain[audio]'" in error


def test_text(make: Make) -> None:
    environment = make("text")
    texts = ["A gem of a record, and not a weak song on it.", "Ein Lied, das ich immer wieder gerne höre."]
    shared = {"entity": "track", "kind": "review", "event_timestamp": "2026-01-05T10:00:00Z"}
    rows = [
        {**shared, "text_id": f"x{place}", "entity_id": f"t{place}", "text": text} for place, text in enumerate(texts)
    ]
    (environment.work / "texts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    environment.refrain("import", "texts", "texts.jsonl")
    make_features(environment)
    values = lookup(environment, "track_text_v1", "track_id", "t0", "t1", "t2")
    assert values["track_text__texts"] == [1, 1, None]
    assert values["track_text__language"] == ["en", "de", None]


@pytest.fixture(scope="module")
def wav() -> bytes:
    """Four seconds of A, twice a second louder."""
    rate = 22_050
    times = np.arange(4 * rate) / rate
    samples = np.sin(2 * np.pi * 220 * times) * np.where(times % 0.5 < 0.2, 0.4, 0.1)
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    return content.getvalue()


def test_audio(make: Make, wav: bytes) -> None:
    environment = make("audio")
    (environment.work / "masters").mkdir()
    (environment.work / "masters" / "t0.wav").write_bytes(wav)
    past = datetime(2026, 1, 5, 10, tzinfo=UTC).timestamp()
    os.utime(environment.work / "masters" / "t0.wav", (past, past))  # when the recording was made
    environment.refrain("import", "audio", "masters")
    make_features(environment)
    values = lookup(environment, "track_audio_v1", "track_id", "t0", "t1")
    assert values["track_audio__tempo"][0] == pytest.approx(120, abs=2)
    assert values["track_audio__tempo"][1] is None
    environment.refrain("analyze", "masters/t0.wav", "--plot", "analysis.png")
    assert (environment.work / "analysis.png").stat().st_size > 10_000
    environment.refrain("simulate-sound", "--songs", "2", "--seconds", "2")
