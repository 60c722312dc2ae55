"""A server that is attacked, with a key and without: a good client is answered, and memory stays as it was."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2 as httpx
import pytest

from feature_repo.home import REPOSITORY, Home
from inference.security.caller import Limits
from inference.security.keys import KeyRing
from tests.attacks import silence
from tests.serving import serving

REQUEST = {"user_id": "u000007", "count": 10}
SECONDS = 30.0


@pytest.mark.soak
def test_a_good_client_is_answered_whatever_others_do(own_world: Home) -> None:
    """Five hundred trickling connections, heads of 300 MB, sounds and texts that cost much, all at once."""
    good, _ = KeyRing(own_world).create("good", ["predict"], limits=Limits(1e6, 1_000_000))
    bad, _ = KeyRing(own_world).create("bad", ["predict"])
    with serving(own_world, "--access", "keys") as (client, process):
        client.headers["authorization"] = f"Bearer {good}"
        _ask_for_everything(client)
        quiet_s = _ask(client, SECONDS / 2)
        quiet_mb = _memory_mb(process.pid)
        peak = _Peak(process.pid)
        command = [sys.executable, "-m", "tests.attacks", str(client.base_url.port), bad, f"{SECONDS:g}"]
        with (
            subprocess.Popen(
                ["nice", "-n", "19", *command], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
            ) as attackers,
            peak,
        ):  # nice, as attackers use processors of their own
            time.sleep(5)
            attacked_s = _ask(client, SECONDS - 8)
            started = time.monotonic()
            assert httpx.get(client.base_url.join("/health"), timeout=10).status_code == 200
            health_s = time.monotonic() - started
            outcomes = json.loads(attackers.communicate()[0])
    figures = {
        "p99 quiet / attacked ms": (round(_p99(quiet_s) * 1e3, 1), round(_p99(attacked_s) * 1e3, 1)),
        "p50 quiet / attacked ms": (round(_median(quiet_s) * 1e3, 1), round(_median(attacked_s) * 1e3, 1)),
        "health ms": round(health_s * 1e3, 1),
        "memory quiet / peak MB": (round(quiet_mb), round(peak.mb)),
        "answers": (len(quiet_s), len(attacked_s)),
    }
    print(json.dumps(figures), json.dumps(outcomes))
    assert outcomes["head refused"] > 0
    assert "head accepted whole" not in outcomes
    assert outcomes["trickling"] > 500  # those that were closed came again
    assert not [name for name in outcomes if name.endswith(": 500")]
    assert peak.mb <= 1.35 * quiet_mb, figures
    assert _p99(attacked_s) < 10 * _p99(quiet_s), figures


@pytest.mark.soak
def test_a_small_file_of_many_samples_takes_little_memory(tmp_path: Path) -> None:
    """113 kB of FLAC: 290 seconds of silence in eight channels."""
    file = tmp_path / "silence.flac"
    file.write_bytes(silence(290, 8))
    script = (
        "import resource, sys; from pathlib import Path; from inference import AudioAnalysisModel; "
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024; before = peak(); "
        "assert 'silent' in AudioAnalysisModel().analyze(Path(sys.argv[1])).marks; "
        "print(peak() - before)"
    )
    command = [sys.executable, "-W", "ignore", "-c", script, str(file)]
    completed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert int(completed.stdout) < 200


def _ask_for_everything(client: httpx.Client) -> None:
    """Have all kinds of models and processes loaded."""
    for _ in range(3):
        assert client.post("/v1/recommendations", json=REQUEST).status_code == 200
        assert client.post("/v1/text/analyze", json={"text": "a gem of a record " * 1_100}).status_code == 200
        assert client.post("/v1/audio/analyze", content=silence(180, 2)).status_code == 200


def _ask(client: httpx.Client, seconds: float) -> list[float]:
    """Ask for a recommendation over and over, sometimes on a new connection; returns seconds of each answer."""
    times, end = [], time.monotonic() + seconds
    with httpx.Client(base_url=client.base_url, headers=client.headers, timeout=30) as kept:
        while (started := time.monotonic()) < end:
            if len(times) % 10:
                response = kept.post("/v1/recommendations", json=REQUEST)
            else:
                with httpx.Client(base_url=client.base_url, headers=client.headers, timeout=30) as fresh:
                    response = fresh.post("/v1/recommendations", json=REQUEST)
            assert response.status_code == 200, response.text
            assert len(response.json()["items"]) == 10
            times.append(time.monotonic() - started)
            time.sleep(0.02)
    return times


def _p99(times: list[float]) -> float:
    return sorted(times)[int(0.99 * (len(times) - 1))]


def _median(times: list[float]) -> float:
    return sorted(times)[len(times) // 2]


def _memory_mb(pid: int) -> float:
    """Memory of a process and its descendants, shared pages counted once."""
    total, waiting = 0.0, [pid]
    while waiting:
        process = waiting.pop()
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            command = Path(f"/proc/{process}/cmdline").read_bytes()
            waiting += map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"redis-server" not in command:
            total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
    return total


class _Peak:
    """The largest memory of a process and its descendants while the block runs."""

    def __init__(self, pid: int) -> None:
        self._pid, self.mb, self._ended = pid, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "_Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.25):
            self.mb = max(self.mb, _memory_mb(self._pid))
