"""Sound by libsndfile: wav, aiff, flac, ogg, opus, mp3."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from transforms.pure.audio.header import Header, SoundBytes, of_mp3, possible_frames
from transforms.pure.audio.loudness.layouts import OGG, Layout

SUFFIXES = (".wav", ".flac", ".aiff", ".aif", ".ogg", ".oga", ".opus", ".mp3")
_MOST_FRAMES = 1 << 36
"""Numbers of frames above this are those of a decoder that does not know."""
_MP3_FRAME = 1_152


@dataclass(frozen=True)
class SndfileSound:
    """An open sound.

    Attributes:
        rate: samples per second.
        channels: number of channels.
        frames: samples of each channel that the header states; None if it states none.
        tolerance: frames that may be missing, as encoders count them differently.
        layout: names of the channels; None for the usual ones.
    """

    rate: int
    channels: int
    frames: int | None
    tolerance: int
    layout: Layout | None
    _file: Any
    _content: SoundBytes
    _rest: Callable[[int], AbstractContextManager["SndfileSound"]]

    def pieces(self, length: int) -> Iterator[np.ndarray]:
        """Yield samples (n, channels) of float32 until the decoder gives nothing.

        Args:
            length: greatest n.

        Raises:
            soundfile.LibsndfileError: nothing can be decoded.
        """
        import soundfile

        buffer = np.empty((length, self.channels), np.float32)
        is_first = True
        while True:
            buffer.fill(np.nan)  # tells how far the decoder came before an error
            try:
                count = len(self._file.read(length, out=buffer))
            except soundfile.LibsndfileError:
                count = int(np.isnan(buffer[:, 0]).argmax()) if np.isnan(buffer[-1, 0]) else length
                if is_first and not count:
                    raise
            if not count:
                break
            is_first = False
            yield buffer[:count].copy()
        if self._file.format == "MP3" and (place := self._content.next_frame()) is not None:
            with suppress(soundfile.LibsndfileError), self._rest(place) as rest:
                if (rest.rate, rest.channels) == (self.rate, self.channels):
                    yield from rest.pieces(length)


@contextmanager
def open_sndfile(file: IO[bytes], size: int, header: Header, start: int = 0) -> Iterator[SndfileSound]:
    """Open a sound.

    Args:
        file: the file.
        size: its bytes.
        header: what its header states.
        start: where the sound begins.

    Raises:
        soundfile.LibsndfileError: it is no sound that libsndfile knows.
    """
    import soundfile

    class Forward(soundfile.SoundFile):
        """Reads to the end: ``read`` of a file that can seek stops at the header's length, and seeks after each."""

        def seekable(self) -> bool:
            return False

    def open_at(place: int, stated: Header) -> tuple[soundfile.SoundFile, SoundBytes]:
        content = SoundBytes(file, size, stated, place)
        return Forward(content), content

    opened: tuple[Any, SoundBytes] | None
    try:
        opened = open_at(start, header)
    except soundfile.LibsndfileError:
        # libsndfile finds an mp3 behind other bytes by the file's name alone, and bytes have none
        opened = None if header.is_known else _first_that_opens(file, size, open_at)
        if opened is None:
            raise
    handle, content = opened
    with handle:
        frames = header.frames or (int(handle.frames) if header.has_end and handle.frames < _MOST_FRAMES else None)
        yield SndfileSound(
            int(handle.samplerate),
            int(handle.channels),
            frames,
            _MP3_FRAME if handle.format == "MP3" else 0,
            OGG.get(int(handle.channels)) if handle.format == "OGG" else header.layout,
            handle,
            content,
            lambda place: open_sndfile(file, size, Header(is_endless=True), place),
        )


def _first_that_opens(
    file: IO[bytes], size: int, open_at: Callable[[int, Header], tuple[Any, SoundBytes]]
) -> tuple[Any, SoundBytes] | None:
    import soundfile

    for place in possible_frames(file):
        with suppress(soundfile.LibsndfileError):
            return open_at(place, of_mp3(file, place, size))
    return None
