"""Channel layouts, and the weight of each channel in the loudness of ITU-R BS.1770-4."""

import numpy as np

Layout = tuple[str, ...]
"""Names of the channels as FFmpeg has them, in the order of the samples: FL, FR, FC, LFE, BL, BR, SL, SR, BC, …"""

DEFAULT: dict[int, Layout] = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""Number of channels → layout of WAV, FLAC and AIFF where the file names none (RFC 9639, section 9.1.3)."""
OGG: dict[int, Layout] = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FC", "FR"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FC", "FR", "BL", "BR"),
    6: ("FL", "FC", "FR", "BL", "BR", "LFE"),
    7: ("FL", "FC", "FR", "SL", "SR", "BC", "LFE"),
    8: ("FL", "FC", "FR", "SL", "SR", "BL", "BR", "LFE"),
}
"""Number of channels → layout of Vorbis and Opus (RFC 7845, section 5.1.1.2)."""
MASK = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR")
"""Channels by the bits of the mask of an extensible WAV."""
_SURROUND = 1.41
_LOW = ("LFE", "LFE2")


def from_mask(mask: int, channels: int) -> Layout | None:
    """Return the layout that a WAV states; None if it states another number of channels.

    >>> from_mask(0x33, 4)
    ('FL', 'FR', 'BL', 'BR')
    """
    layout = tuple(name for bit, name in enumerate(MASK) if mask >> bit & 1)
    return layout if len(layout) == channels == mask.bit_count() else None


def from_names(names: Layout) -> Layout | None:
    """Return the layout of a container; None if it has channels without a place, as ambisonics do."""
    return names if {*names} <= {*MASK, *_LOW} else None


def weights(layout: Layout) -> np.ndarray:
    """Return the weight of each channel's power, (channels,).

    Channels of low-frequency effects are left out. Those beside the listener, by 60° to 120°, count 1.41 times: SL and
    SR, or BL and BR where there are no others, as in 5.1; all others count once.

    >>> weights(("FL", "FR", "FC", "LFE", "BL", "BR")).tolist()
    [1.0, 1.0, 1.0, 0.0, 1.41, 1.41]
    """
    surround = ("SL", "SR") if {"SL", "SR"} & set(layout) else ("BL", "BR")
    return np.array([0.0 if name in _LOW else _SURROUND if name in surround else 1.0 for name in layout])
