"""Processor time of one unit of what requests are charged for (``inference/api/costs.py``), by kind.

Requests over the application of the data folder in ``REFRAIN_HOME``, in this process; what has no promoted model there
is left out. A unit should take about ten milliseconds: a rate limit then bounds the cores that a key may use.

    REFRAIN_HOME=data python -m benchmarks.serving_costs
"""

import base64
import io
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import soundfile
from fastapi.testclient import TestClient

from benchmarks.surroundings import MACHINE
from feature_repo.homomorphic.parameters import padded
from inference.api import costs
from inference.api.app import create_app
from refrain.client.encryption import EncryptionKeys

REPEATS = 3
TEXT = "A gem of a record, not a weak song on it; the second half drags, but the horns are worth it. " * 300


def main() -> None:
    """Print one line of JSON: milliseconds of a unit by kind."""
    times: dict[str, float] = {}
    with TestClient(create_app()) as client:

        def measure(name: str, units: float, send: Callable[[], int]) -> None:
            if send() != 200:
                return
            started = time.process_time()
            for _ in range(REPEATS):
                send()
            times[name] = round((time.process_time() - started) / REPEATS / units * 1e3, 2)

        def post(path: str, body: object) -> Callable[[], int]:
            return lambda: client.post(path, json=body).status_code

        measure("recommendation", 1, post("/v1/recommendations", {"user_id": "u000042"}))
        texts = [TEXT[:20_000]] * 5
        measure("texts", 100_000 / costs.CHARACTERS, post("/v1/text/analyze", {"texts": texts}))
        sound = _sound(60)
        measure(
            "sound",
            60 * 44_100 * 2 / costs.SAMPLES,
            lambda: client.post("/v1/audio/analyze", content=sound).status_code,
        )
        keys = {"keys": {"user_id": [f"u{number:06}" for number in range(1_000)]}}
        looked_up = client.post("/v1/features/listener_v1", json=keys)
        if looked_up.status_code == 200:
            values = 1_000 * len(looked_up.json()["values"])
            measure("features", values / costs.VALUES, post("/v1/features/listener_v1", keys))
        models = client.get("/v1/encrypted/models").json().get("models", [])
        if models and models[0]["kind"] == "tracks":
            length, question = padded(models[0]["dimensions"]), _encrypted(client, models[0])
            measure("encrypted", 1 + length / costs.ROTATIONS, post("/v1/encrypted/scores", question))
        for detector in ("system", "performance", "security"):
            start = datetime(2026, 1, 20, 10, tzinfo=UTC)
            moments = [(start + timedelta(minutes=minute)).isoformat() for minute in range(200)]
            observations = [
                {"entity": f"e-{minute % 4}", "at": at, "values": {"cpu_permille": 310.0 + minute % 7}}
                for minute, at in enumerate(moments)
            ]
            body = {"detector": detector, "observations": observations}
            measure(f"observations: {detector}", 200 / costs.OBSERVATIONS, post("/v1/anomalies/detect", body))
    print(json.dumps({"machine": MACHINE, "ms of a unit": times}))


def _encrypted(client: TestClient, model: dict[str, Any]) -> dict[str, str]:
    """The question about an encrypted vector; its keys are sent."""
    keys = EncryptionKeys(model["dimensions"])
    client.post("/v1/encrypted/contexts", content=keys.public)
    vector = keys.encrypt([1.0] * model["dimensions"]).content
    return {"model": model["model"], "context": keys.digest, "vector": base64.b64encode(vector).decode()}


def _sound(seconds: int) -> bytes:
    """Noise in stereo, as a FLAC file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.random.default_rng(0).normal(0, 0.1, (44_100 * seconds, 2)), 44_100, format="FLAC")
    return buffer.getvalue()


if __name__ == "__main__":
    main()
