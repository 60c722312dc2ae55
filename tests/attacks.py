"""Clients that try to keep others from a server, all at once: ``python -m tests.attacks PORT KEY SECONDS``.

Five hundred connections that trickle heads and bodies; heads of 300 MB; and, with a key, sounds and texts that are
small to send and large to read. Prints what became of them, as JSON.
"""

import asyncio
import io
import json
import sys
import time
from collections import Counter
from contextlib import suppress

import numpy as np
import soundfile

TRICKLING = 500
HEAD = b"POST %s HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\ncontent-type: %s\r\n"
outcomes: Counter[str] = Counter()


def silence(seconds: int, channels: int, rate: int = 48_000) -> bytes:
    """A FLAC file that is a hundred kilobytes for minutes of many channels."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, channels, format="FLAC") as file:
        for _ in range(seconds // 10):
            file.write(np.zeros((10 * rate, channels), np.int16))
    return buffer.getvalue()


async def trickle(port: int, number: int, end: float) -> None:
    """Send a byte of a head, or of the body of a login, each second; connect again when it is closed."""
    while time.monotonic() < end:
        with suppress(OSError, asyncio.IncompleteReadError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            kind = b"application/x-www-form-urlencoded"
            start = HEAD % (b"/console/login", b"x", kind) + b"content-length: 9000\r\n\r\n" if number % 2 else b"GET /"
            writer.write(start)
            outcomes["trickling"] += 1
            while time.monotonic() < end:
                await asyncio.sleep(1.0)
                writer.write(b"k")
                await writer.drain()
            writer.close()
        await asyncio.sleep(0.2)


async def send_endless_head(port: int, end: float) -> None:
    """Send heads of 300 MB."""
    while time.monotonic() < end:
        sent = 0
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ")
            while sent < 300_000_000 and time.monotonic() < end:
                writer.write(b"a" * 1_000_000)
                sent += 1_000_000
                await writer.drain()
            writer.close()
        outcomes["head accepted whole" if sent >= 300_000_000 else "head refused"] += 1
        await asyncio.sleep(0.2)


async def post(port: int, key: str, path: str, kind: str, body: bytes, end: float, *, chunked: bool = False) -> None:
    """Send a body again and again."""
    while time.monotonic() < end:
        status = "closed"
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            length = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % len(body)
            writer.write(HEAD % (path.encode(), key.encode(), kind.encode()) + length + b"\r\n\r\n")
            for start in range(0, len(body), 500_000):
                piece = body[start : start + 500_000]
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                await writer.drain()
            line = await asyncio.wait_for(reader.readline(), 60)
            status = line.split()[1].decode() if line else "closed"
            writer.close()
        outcomes[f"{path} {len(body):,}: {status}"] += 1
        await asyncio.sleep(0.3)


async def attack(port: int, key: str, seconds: float) -> None:
    """Do all of it at once."""
    sound, binary, text = "/v1/audio/analyze", "application/octet-stream", "/v1/text/analyze"
    words = "a gem of a record, not a weak song on it. " * 24_000
    texts = {size: json.dumps({"texts": [words[:20_000]] * (size // 20_000)}).encode() for size in (300_000, 1_000_000)}
    bomb, larger_bomb = silence(290, 8), silence(290, 8, 96_000)
    end = time.monotonic() + seconds
    await asyncio.gather(
        *(trickle(port, number, end) for number in range(TRICKLING)),
        send_endless_head(port, end),
        post(port, key, sound, binary, bomb, end),
        post(port, key, sound, binary, larger_bomb, end),
        post(port, key, sound, binary, b"RIFF" + bytes(60_000_000), end),
        post(port, key, sound, binary, b"RIFF" + bytes(60_000_000), end, chunked=True),
        *(post(port, key, text, "application/json", body, end) for body in texts.values()),
        post(port, key, text, "application/json", b"[" * 5_000_000, end, chunked=True),
    )


if __name__ == "__main__":
    asyncio.run(attack(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
    print(json.dumps(dict(sorted(outcomes.items()))))
