"""What counting questions and finding marks costs a request, in CPU time of this process and of Redis."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import redis

from benchmarks.protocols.theft_data import RowTarget
from feature_repo.packed.server import OneServer
from inference.security.theft.counts import Budget, QuestionCounts
from inference.security.theft.row_marks import RowMarks
from transforms.pure.tabular.watermark import Watermark

REQUESTS = 500


def cost_of_counting(folder: Path) -> Iterator[tuple[str, float]]:
    """Yield metric and value: µs of CPU of a request, with 3 budgets; and bytes of Redis for an owner."""
    socket = folder / "redis.sock"
    program = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL) as process:
        try:
            client = redis.Redis(unix_socket_path=str(socket))
            _wait(client)
            counts = QuestionCounts(OneServer(lambda: client), "benchmark")
            budgets = [Budget("key", "1", 10**6), Budget("owner", "o", 10**6), Budget("tenant", "", 10**7)]
            for rows in (1, 1_000):
                before = _seconds_of_redis(client)
                questions = iter(range(10**9))

                def ask(rows: int = rows, questions: Iterator[int] = questions) -> None:
                    counts.add("o", "m", [str(next(questions)) for _ in range(rows)], budgets, {"successor": 1})

                number = REQUESTS if rows == 1 else REQUESTS // 10
                yield f"us_of_a_request_of_{rows}", _microseconds(ask, number)
                yield f"us_of_redis_for_{rows}", (_seconds_of_redis(client) - before) / number * 1e6
            counts.add(
                "million", "m", [str(number) for number in range(1_000_000)], [Budget("owner", "million", 10**7)], {}
            )
            yield (
                "bytes_of_a_million_questions",
                float(sum(client.memory_usage(name) or 0 for name in client.scan_iter("*million*"))),
            )
        finally:
            process.terminate()


def cost_of_marks(target: RowTarget) -> Iterator[tuple[str, float]]:
    """Yield metric and value: µs of CPU of the marks and of the watermark of one row."""
    answer, row = target.predictor(), target.inputs[target.pool[:1]]
    marks = RowMarks.fit(target.reference, answer(target.reference))
    mark = Watermark.create(b"secret", "benchmark:1", target.reference)
    chances = answer(row)
    yield "us_of_marks_of_a_row", _microseconds(lambda: marks.count(row, chances), REQUESTS)
    yield "us_of_the_watermark_of_a_row", _microseconds(lambda: mark.mark_chances(chances, row, 0.03), REQUESTS)


def _microseconds(work: Callable[[], object], number: int) -> float:
    started = time.process_time()
    for _ in range(number):
        work()
    return (time.process_time() - started) / number * 1e6


def _seconds_of_redis(client: redis.Redis) -> float:
    info = client.info("cpu")
    return float(np.sum([info["used_cpu_user"], info["used_cpu_sys"]]))


def _wait(client: redis.Redis) -> None:
    for _ in range(100):
        try:
            client.ping()
        except redis.ConnectionError:
            time.sleep(0.05)
        else:
            return
