"""Seconds of a masked sum over silos, phase by phase, beside the floor of its keystreams and two other ways.

20 silos add 712,500 random words (5.7 MB each); three drop out after they shared their secrets, which costs most: the
masks of each with every survivor have to be made anew. All run in one process, one after another, and the seconds are
of processor time; what one silo does is divided by their number. The floor makes and adds as many keystreams as the
coordinator has to, and does nothing else. The naive way has the same masks by SHA-256 over a counter, which is what a
standard library offers; the plain sum hides nothing. Last, the same round goes over HTTP on this machine,
with all silos as threads of one process and nobody dropping out: its seconds of processor time and by the clock.

Judged on: random words; nothing is learned.

    python -m benchmarks.secure_aggregation [--quick]
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.surroundings import MACHINE
from feature_repo.home import Home
from feature_repo.signing.public_keys import public_key_of
from training.private.secure_aggregation.coordinator import Coordinator
from training.private.secure_aggregation.coordinator_round import CoordinatorRound
from training.private.secure_aggregation.envelope import PHASES, Phase
from training.private.secure_aggregation.http_board import connect
from training.private.secure_aggregation.keystream import add_keystream
from training.private.secure_aggregation.roster import COORDINATOR, Roster
from training.private.secure_aggregation.server import serving
from training.private.secure_aggregation.silo_round import SiloRound
from training.private.secure_aggregation.terms import Terms

SILOS, DROPPED, WORDS, QUICK_WORDS = 20, 3, 712_500, 20_000


@contextmanager
def measured(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Adds seconds of processor time to those of a name."""
    started = time.process_time()
    yield
    seconds[name] = seconds.get(name, 0.0) + time.process_time() - started


def draw_keys(names: Iterable[str]) -> tuple[Roster, dict[str, Ed25519PrivateKey]]:
    """A roster, and the private keys of its parties."""
    identities = {name: Ed25519PrivateKey.generate() for name in (*names, COORDINATOR)}
    keys = {name: public_key_of(key) for name, key in identities.items()}
    return Roster(keys.pop(COORDINATOR), keys), identities


def run_round(
    words: dict[str, np.ndarray], dropped: list[str]
) -> tuple[dict[str, float], dict[str, float], np.ndarray]:
    """Seconds of one silo and of the coordinator by phase, and the sum, of a round from which some silos drop out."""
    roster, identities = draw_keys(words)
    length = len(next(iter(words.values())))
    terms = Terms.of("benchmark", length, roster.recommended_threshold, {}, roster)
    coordinator = CoordinatorRound(terms, roster, identities[COORDINATOR])
    silos = {name: SiloRound(terms, roster, name, identities[name], words[name]) for name in words}
    of_silo: dict[str, float] = {}
    of_coordinator: dict[str, float] = {}
    for phase in PHASES:
        present = [name for name in silos if name not in dropped or PHASES.index(phase) < PHASES.index(Phase.MASK)]
        for name in present:
            with measured(of_coordinator, phase):
                question = coordinator.message(phase, name)
            with measured(of_silo, phase):
                answer = silos[name].answer(phase, question or b"")
            with measured(of_coordinator, phase):
                coordinator.receive(answer)
        of_silo[phase] /= len(present)
        with measured(of_coordinator, phase):
            coordinator.close()
    with measured(of_coordinator, "sum"):
        total = coordinator.unmasked().words
    return of_silo, of_coordinator, total


def run_over_http(words: dict[str, np.ndarray]) -> np.ndarray:
    """The sum of a round over HTTP, with silos as threads."""
    roster, identities = draw_keys(words)
    coordinator = Coordinator(roster, identities[COORDINATOR])
    with (
        tempfile.TemporaryDirectory() as scratch,
        serving(coordinator) as url,
        ThreadPoolExecutor(len(words)) as threads,
    ):
        submissions = []
        for name, own in words.items():
            channel = connect(url, name, identities[name], roster, Home(Path(scratch) / name))
            submissions.append(threads.submit(channel.submit, "benchmark", own))
        length, threshold = len(next(iter(words.values()))), roster.recommended_threshold
        total = coordinator.collect("benchmark", length, threshold=threshold, timeout_s=120)
        for each in submissions:
            each.result()
    return total.words


def add_naive_stream(words: np.ndarray, seed: bytes) -> None:
    """Adds SHA-256 of a seed and a counter, four words a digest."""
    digests = (hashlib.sha256(seed + number.to_bytes(8, "little")).digest() for number in range(-(-len(words) // 4)))
    words += np.frombuffer(b"".join(digests), "<u8")[: len(words)]


def main() -> None:
    """Measures, and prints one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_WORDS:,} words")
    length = QUICK_WORDS if parser.parse_args().quick else WORDS
    rng = np.random.default_rng(0)
    words = {f"silo{number:02}": rng.integers(0, 2**64, length, np.uint64) for number in range(SILOS)}
    dropped = list(words)[::7][:DROPPED]
    of_silo, of_coordinator, total = run_round(words, dropped)
    seconds: dict[str, float] = {}
    with measured(seconds, "plain sum"):
        plain = np.sum([words[name] for name in words if name not in dropped], axis=0, dtype=np.uint64)
    assert (total == plain).all()
    survivors = SILOS - len(dropped)
    streams = survivors * (1 + len(dropped))
    accumulator = np.zeros(length, "<u8")
    with measured(seconds, "keystream floor"):
        for _ in range(streams):
            add_keystream(accumulator, os.urandom(32))
    with measured(seconds, "naive masks"):
        for _ in range(streams):
            add_naive_stream(accumulator, os.urandom(32))
    started = time.perf_counter()
    with measured(seconds, "http"):
        total = run_over_http(words)
    clock = time.perf_counter() - started
    assert (total == np.sum(list(words.values()), axis=0, dtype=np.uint64)).all()
    print(
        json.dumps(
            {
                "name": "secure_aggregation",
                "machine": MACHINE,
                "silos": len(words),
                "dropped": len(dropped),
                "megabytes_a_silo": round(8 * length / 1e6, 2),
                "one_silo_s": {name: round(value, 4) for name, value in of_silo.items()},
                "coordinator_s": {name: round(value, 4) for name, value in of_coordinator.items()},
                "unmasking_s": round(of_coordinator["sum"], 4),
                "keystreams": streams,
                "keystream_floor_s": round(seconds["keystream floor"], 4),
                "unmasking_times_floor": round(of_coordinator["sum"] / seconds["keystream floor"], 2),
                "naive_masks_s": round(seconds["naive masks"], 3),
                "naive_times_unmasking": round(seconds["naive masks"] / of_coordinator["sum"], 1),
                "plain_sum_s": round(seconds["plain sum"], 4),
                "http_round_s": round(seconds["http"], 3),
                "http_round_clock_s": round(clock, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
