"""The ownership test: valid for whatever suspect, and decisive about copies."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.watermark_secret import create_secret, read_secret
from training.clean_copies import clean_copies
from training.estimators import learner
from training.ownership import find_watermark
from training.suspects import answers_of, write_rows
from transforms.pure.tabular.watermark import Watermark

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(600, 8)).astype(np.float32)


def clean(rows: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-(rows[:, 0] + rows[:, 1] * rows[:, 2] - rows[:, 3] ** 2 + 1))))


def stolen(strength: float = 0.05) -> tuple[Watermark, Callable[[np.ndarray], np.ndarray]]:
    mark = Watermark.create(b"secret", "m:1", ROWS)
    questions = RNG.normal(size=(6_000, 8)).astype(np.float32)
    copy = learner("lightgbm").fit(
        questions, mark.mark_chances(clean(questions), questions, strength), "number", {"trees": 300}, 1
    )
    return mark, copy.predict


def test_a_copy_is_ours_and_other_secrets_do_not_claim_it() -> None:
    mark, copy = stolen()
    others = clean_copies(clean, ROWS)(ROWS)
    result = find_watermark(mark, ROWS, copy(ROWS), clean(ROWS), others)
    assert result.p_value < 1e-6
    assert result.agreement > 0.9
    strangers = [Watermark.create(bytes([number]), "m:1", ROWS) for number in range(40)]
    p_values = [find_watermark(other, ROWS, copy(ROWS), clean(ROWS), others).p_value for other in strangers]
    assert np.mean(np.array(p_values) < 0.05) <= 0.1
    assert min(p_values) > 1e-4


@pytest.mark.parametrize("kind", ["noise", "other model", "constant", "pattern", "labels"])
def test_p_values_are_conservative_whatever_the_suspect(kind: str) -> None:
    """The null is of the secret, not of the suspect: even one that has another owner's mark is no exception."""
    suspect = {
        "noise": RNG.random(600),
        "other model": np.tanh(ROWS @ RNG.normal(size=8)),
        "constant": np.full(600, 0.3),
        "pattern": Watermark.create(b"theirs", "m:1", ROWS).mark_chances(clean(ROWS), ROWS, 0.05),
        "labels": (clean(ROWS) >= 0.5).astype(float),
    }[kind]
    marks = [Watermark.create(number.to_bytes(4, "big"), "m:1", ROWS) for number in range(100)]
    p_values = np.array([find_watermark(mark, ROWS, suspect, clean(ROWS)).p_value for mark in marks])
    for level in (0.2, 0.05, 0.01):
        assert np.mean(p_values <= level) <= level + 2.6 * np.sqrt(level / len(marks))


def test_strange_suspects() -> None:
    mark = Watermark.create(b"secret", "m:1", ROWS)
    assert find_watermark(mark, ROWS, clean(ROWS), clean(ROWS)).p_value == pytest.approx(1.0)
    flat = np.zeros((60, 2))
    assert find_watermark(Watermark.create(b"s", "m", flat), flat, np.zeros(60), np.zeros(60)).pieces == 0
    for wrong in (np.full(600, np.nan), np.zeros(10), np.zeros((600, 2))):
        with pytest.raises(InputError, match="finite"):
            find_watermark(mark, ROWS, wrong, clean(ROWS))


def test_the_secret_is_of_its_owner_alone(home: Home) -> None:
    with pytest.raises(InputError, match="own-key"):
        read_secret(home)
    assert create_secret(home)
    assert home.watermark_secret.stat().st_mode & 0o777 == 0o600
    secret = read_secret(home)
    assert len(secret) == 32
    assert not create_secret(home)
    assert read_secret(home) == secret
    home.watermark_secret.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        read_secret(home)
    home.watermark_secret.chmod(0o600)
    home.watermark_secret.write_text("ff")
    with pytest.raises(InputError, match="64 hexadecimal"):
        read_secret(home)


class _Suspect(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        rows = json.loads(self.rfile.read(int(self.headers["content-length"])))["inputs"]
        answer = {"/good": {"predictions": [row[0] for row in rows]}, "/odd": {"predictions": [1]}}.get(self.path, {})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Suspect)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_suspects_of_every_kind(home: Home, tmp_path: Path, address: str) -> None:
    model = learner("linear").fit(ROWS, clean(ROWS), "number", {}, 0)
    (tmp_path / "model.onnx").write_bytes(model.to_onnx())
    for suspect in (tmp_path, tmp_path / "model.onnx"):
        np.testing.assert_allclose(answers_of(str(suspect), ROWS, home), model.predict(ROWS), atol=1e-5)
    np.testing.assert_allclose(answers_of(f"{address}/good", ROWS, home), ROWS[:, 0], atol=1e-6)
    write_rows(tmp_path / "rows.csv", ROWS, [f"c{number}" for number in range(8)])
    np.testing.assert_allclose(answers_of(str(tmp_path / "rows.csv"), ROWS, home), ROWS[:, 7], atol=1e-6)
    (tmp_path / "bad.csv").write_text("answer\n0.5\nno\n")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    for wrong in (f"{address}/odd", f"{address}/none", "http://127.0.0.1:1/", "absent:3", "absent.onnx", ""):
        with pytest.raises(InputError):
            answers_of(wrong, ROWS, home)
    for file in ("bad.csv", "bad.onnx", "absent.csv"):
        with pytest.raises(InputError):
            answers_of(str(tmp_path / file), ROWS, home)
    with pytest.raises(InputError):
        answers_of(str(tmp_path / "model.onnx"), ROWS[:, :3], home)
