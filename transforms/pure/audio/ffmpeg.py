"""Sound by FFmpeg, through PyAV: m4a, aac, wma, mka (extra ``ffmpeg``)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from transforms.pure.audio.header import Header, SoundBytes
from transforms.pure.audio.loudness.layouts import Layout, from_names

SUFFIXES = (".m4a", ".aac", ".wma", ".mka")
HEAD = 1 << 14
"""Bytes of the beginning by which a file is recognized: an aac frame and what follows."""
_TOLERANCE_S = 0.1
"""Seconds that may be missing: decoders leave out what they need to begin with and to end."""
_NO_LENGTH = "aac"
"""Name of the format without a header, whose length FFmpeg guesses by the size of the file."""


@dataclass(frozen=True)
class FfmpegSound:
    """An open sound; attributes as those of ``sndfile.SndfileSound``."""

    rate: int
    channels: int
    frames: int | None
    tolerance: int
    layout: Layout | None
    _container: Any
    _stream: Any

    def pieces(self, length: int) -> Iterator[np.ndarray]:
        """Yield samples (n, channels) of float32 until the decoder gives nothing; packets that are damaged give none.

        Args:
            length: about the greatest n.
        """
        import av

        to_float = av.AudioResampler(format="flt", layout=self._stream.layout, rate=self.rate)
        pieces: list[np.ndarray] = []
        for packet in _until_damage(self._container.demux(self._stream)):
            for frame in _until_damage(_decoded(packet)):
                pieces += [part.to_ndarray().reshape(-1, self.channels) for part in to_float.resample(frame)]
            if sum(map(len, pieces)) >= length:
                yield np.concatenate(pieces)
                pieces = []
        if pieces:
            yield np.concatenate(pieces)


def is_container(head: bytes) -> bool:
    """Whether a file begins as m4a, mka, wma or aac do.

    Args:
        head: its first ``HEAD`` bytes.

    >>> is_container(bytes.fromhex("0000001c") + b"ftypM4A "), is_container(b"RIFF")
    (True, False)
    """
    return head[4:8] == b"ftyp" or head[:4] in (b"\x1aE\xdf\xa3", b"0&\xb2u") or _is_aac(head)


def _is_aac(head: bytes) -> bool:
    """Two frames of ADTS, one behind the other; a damaged mp3 may have what looks like one."""
    if len(head) < 7 or not _is_sync(head):
        return False
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length >= 7 and _is_sync(head[length:])


def _is_sync(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0


@contextmanager
def open_ffmpeg(file: IO[bytes], size: int, header: Header) -> Iterator[FfmpegSound]:
    """Open a sound.

    Args:
        file: the file.
        size: its bytes.
        header: what its header states.

    Raises:
        ValueError: it is no sound that FFmpeg knows.
        ModuleNotFoundError: PyAV is not installed.
    """
    import av

    try:
        with av.open(SoundBytes(file, size, header), metadata_errors="ignore") as container:
            stream = next(iter(container.streams.audio), None)
            if stream is None or stream.codec_context is None:
                raise ValueError("no sound in it that FFmpeg decodes")
            seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
            is_known = seconds > 0 and container.format.name != _NO_LENGTH
            rate, channels = int(stream.rate or 0), int(stream.channels)
            frames = round(seconds * rate) if is_known else None
            layout = from_names(tuple(channel.name for channel in stream.layout.channels))
            yield FfmpegSound(rate, channels, frames, int(_TOLERANCE_S * rate), layout, container, stream)
    except av.FFmpegError as error:
        raise ValueError(error.strerror or str(error)) from error


def _decoded(packet: Any) -> Iterator[Any]:
    yield from packet.decode()


def _until_damage(items: Iterator[Any]) -> Iterator[Any]:
    """Yield items up to the first that FFmpeg cannot read."""
    import av

    try:
        yield from items
    except av.FFmpegError:
        return
