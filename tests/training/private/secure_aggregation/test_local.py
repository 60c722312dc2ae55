"""Coordinator and silos in one process: sums, dropouts, late and disagreeing silos, rounds that are replayed."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feature_repo.errors import HomeError
from feature_repo.home import Home
from training.private.secure_aggregation import local
from training.private.secure_aggregation.channel import SiloChannel
from training.private.secure_aggregation.coordinator import Coordinator
from training.private.secure_aggregation.coordinator_round import CoordinatorRound
from training.private.secure_aggregation.errors import NothingPublished, RoundAborted, RoundRefused

NAMES = ("north", "south", "east", "west")
ABOUT = {"catalogue": "9f02", "version": "3"}


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def words_of(number: int, length: int = 50) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 2**64, length, np.uint64)


def submit(
    threads: ThreadPoolExecutor, channels: dict[str, SiloChannel], name: str, length: int = 50
) -> dict[str, "Future[None]"]:
    return {
        silo: threads.submit(channel.submit, name, words_of(number, length), about=ABOUT)
        for number, (silo, channel) in enumerate(channels.items())
    }


def collect(coordinator: Coordinator, name: str, timeout_s: float = 20.0) -> np.ndarray:
    return coordinator.collect(name, 50, threshold=3, timeout_s=timeout_s, about=ABOUT).words


def test_the_sum_is_that_of_the_words(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    coordinator, channels = local.connect(NAMES, tmp_path)
    for name in ("plays-1", "plays-2"):
        submissions = submit(threads, channels, name)
        total = coordinator.collect(name, 50, threshold=3, timeout_s=20, about=ABOUT)
        assert total.silos == tuple(sorted(NAMES)) and total.dropped == ()
        assert total.words.dtype == np.uint64
        assert (total.words == np.sum([words_of(n) for n in range(4)], axis=0, dtype=np.uint64)).all()
        assert [each.result(60) for each in submissions.values()] == [None] * 4
    coordinator.publish("model", b"weights")
    assert coordinator.wait_until_fetched("model", NAMES, 0.01) == tuple(sorted(NAMES))
    assert channels["west"].fetch("model", 1) == b"weights"
    assert coordinator.wait_until_fetched("model", NAMES, 0.01) == ("east", "north", "south")
    assert coordinator.wait_until_fetched("model", ["west"], 60) == ()
    coordinator.publish("model", b"weights")
    with pytest.raises(RoundRefused, match="a name of its own"):
        coordinator.publish("model", b"others")
    with pytest.raises(NothingPublished, match=r"nothing within 0.01 s"):
        channels["west"].fetch("later", 0.01)


def test_an_absent_silo_is_left_out_and_comes_too_late(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    coordinator, channels = local.connect(NAMES, tmp_path)
    late = channels.pop("west")
    submit(threads, channels, "plays-1")
    total = coordinator.collect("plays-1", 50, threshold=3, timeout_s=3, about=ABOUT)
    assert total.dropped == ("west",)
    assert (total.words == np.sum([words_of(n) for n in range(3)], axis=0, dtype=np.uint64)).all()
    with pytest.raises(RoundRefused, match="too late"):
        late.submit("plays-1", words_of(3), about=ABOUT)


def test_a_silo_that_disagrees_says_so_and_is_not_waited_for(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    coordinator, channels = local.connect(NAMES, tmp_path)
    others = {**channels}
    silo = others.pop("east")
    refusal = threads.submit(silo.submit, "plays-1", words_of(9), about={**ABOUT, "catalogue": "77aa"})
    submit(threads, others, "plays-1")
    assert len(collect(coordinator, "plays-1", 60))
    with pytest.raises(RoundRefused, match="expected about catalogue: 77aa; found 9f02"):
        refusal.result(60)


@pytest.mark.parametrize(
    ("words", "about", "pattern"),
    [
        (words_of(1, 49), ABOUT, "number of words: 49; found 50"),
        (words_of(1).astype(np.int64), ABOUT, "50 words of uint64; found int64"),
        (words_of(1).reshape(50, 1), ABOUT, "50 words of uint64; found uint64 of shape"),
        (words_of(1), {"catalogue": "9f02"}, "about version: None; found 3"),
        (words_of(1), {**ABOUT, "schema": "2"}, "about schema: 2; found None"),
    ],
)
def test_one_that_is_needed_ends_the_round_when_it_disagrees(
    tmp_path: Path, threads: ThreadPoolExecutor, words: np.ndarray, about: dict[str, str], pattern: str
) -> None:
    coordinator, channels = local.connect(NAMES, tmp_path)
    refusal = threads.submit(channels["south"].submit, "plays-1", words, about=about)
    with pytest.raises(RoundAborted, match=f"phase advertise, 4 are needed.*south left: expected {pattern}"):
        coordinator.collect("plays-1", 50, threshold=4, timeout_s=60, about=ABOUT)
    with pytest.raises(RoundRefused, match=pattern):
        refusal.result(60)


def test_a_round_is_joined_once_also_after_a_restart(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    coordinator, channels = local.connect(NAMES, tmp_path)
    submissions = submit(threads, channels, "plays-1")
    collect(coordinator, "plays-1")
    for each in submissions.values():
        each.result(60)
    with pytest.raises(RoundRefused, match="plays-1, which was used"):
        collect(coordinator, "plays-1")
    again, restarted = local.connect(NAMES, tmp_path)
    submissions = submit(threads, restarted, "plays-1")
    for each in submissions.values():
        with pytest.raises(RoundRefused, match="never joined; found plays-1, which it joined before"):
            each.result(60)
    assert again.content("plays-1", "west") is None


def test_too_few_silos_abort_the_round_for_all(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    coordinator, channels = local.connect(NAMES, tmp_path)
    submissions = submit(threads, {name: channels[name] for name in NAMES[:2]}, "plays-1")
    with pytest.raises(RoundAborted, match="[0-2] silos in the phase advertise, 3 are needed; absent: .*west"):
        collect(coordinator, "plays-1", 0.5)
    for each in submissions.values():
        with pytest.raises(RoundAborted, match="silos in the phase advertise, 3 are needed"):
            each.result(60)


def test_rounds_at_the_same_time_do_not_mix(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    coordinator, channels = local.connect(NAMES[:3], tmp_path)
    words = {name: np.full(50, number, np.uint64) for number, name in enumerate(("plays-1", "plays-2"))}
    with ThreadPoolExecutor(8) as others:
        submissions = [
            pool.submit(channel.submit, name, words[name])
            for pool, name in ((threads, "plays-1"), (others, "plays-2"))
            for channel in channels.values()
        ]
        sums = [others.submit(coordinator.collect, name, 50, threshold=3, timeout_s=60) for name in words]
        assert [each.result(60).words.tolist() for each in sums] == [[0] * 50, [3] * 50]
        assert [each.result(60) for each in submissions] == [None] * 6


def test_a_coordinator_that_is_stopped_ends_the_round_for_all(
    tmp_path: Path, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: CoordinatorRound) -> None:
        raise KeyboardInterrupt

    coordinator, channels = local.connect(NAMES, tmp_path)
    monkeypatch.setattr(CoordinatorRound, "close", stop)
    submissions = submit(threads, channels, "plays-1")
    with pytest.raises(KeyboardInterrupt):
        collect(coordinator, "plays-1", 60)
    for each in submissions.values():
        with pytest.raises(RoundAborted, match="the coordinator was stopped"):
            each.result(60)
    with pytest.raises(RoundAborted, match="aborted"):
        coordinator.receive("plays-1", b"")
    with pytest.raises(RoundRefused, match="a round that goes on"):
        coordinator.receive("plays-2", b"")


def test_a_key_that_is_not_in_the_roster_takes_no_part(tmp_path: Path) -> None:
    coordinator, _ = local.connect(NAMES, tmp_path)
    with pytest.raises(RoundRefused, match="the roster's coordinator"):
        Coordinator(coordinator.roster, Ed25519PrivateKey.generate())


def test_a_silo_that_cannot_remember_a_round_does_not_join_it(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    coordinator, channels = local.connect(NAMES, tmp_path)
    memory = Home(tmp_path / "west").joined_rounds
    memory.parent.mkdir(exist_ok=True)
    memory.write_text("no folder")
    submissions = submit(threads, channels, "plays-1")
    total = coordinator.collect("plays-1", 50, threshold=3, timeout_s=60, about=ABOUT)
    assert total.dropped == ("west",)
    with pytest.raises(HomeError, match="to remember rounds that were joined"):
        submissions["west"].result(60)


def test_a_silo_may_ask_for_a_higher_threshold(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    coordinator, channels = local.connect(NAMES, tmp_path)
    channels["east"]._least_threshold = 4
    submissions = submit(threads, channels, "plays-1")
    assert coordinator.collect("plays-1", 50, threshold=3, timeout_s=60, about=ABOUT).dropped == ("east",)
    with pytest.raises(RoundRefused, match="a threshold of 4 or more; found 3"):
        submissions["east"].result(60)


@pytest.mark.parametrize(
    ("name", "words", "about", "pattern"),
    [
        ("", 50, {}, "a round name of letters"),
        ("../plays", 50, {}, "a round name of letters"),
        ("p" * 200, 50, {}, "a round name of letters"),
        ("plays-1", 0, {}, "words; found 0"),
        ("plays-1", 2**25 + 1, {}, "words; found 33,554,433"),
        ("plays-1", 50, {"version": 3}, "others than texts"),
        ("plays-1", 50, {"schema": "x" * 201}, "at most 200 characters"),
        ("plays-1", 50, {str(n): "" for n in range(65)}, "65 of them"),
    ],
)
def test_terms_that_cannot_be(tmp_path: Path, name: str, words: int, about: dict, pattern: str) -> None:
    coordinator, _ = local.connect(NAMES, tmp_path)
    with pytest.raises(RoundRefused, match=pattern):
        coordinator.collect(name, words, threshold=3, timeout_s=1, about=about)


@pytest.mark.parametrize("threshold", [0, 1, 2, 5])
def test_half_of_the_silos_are_too_few(tmp_path: Path, threshold: int) -> None:
    coordinator, _ = local.connect(NAMES, tmp_path)
    with pytest.raises(RoundRefused, match="a threshold of 3 to 4 silos"):
        coordinator.collect("plays-1", 50, threshold=threshold, timeout_s=1)
