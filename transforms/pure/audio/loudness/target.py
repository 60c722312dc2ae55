"""What a service that plays everything equally loud does with a sound, and whether its peaks allow that."""

from dataclasses import dataclass

from transforms.pure.audio.loudness.meter import Loudness

STREAMING_LUFS, STREAMING_DBTP = -14.0, -1.0
"""Loudness and true peak that streaming services ask for."""
_ENOUGH = 0.1
"""Difference in decibels that makes none."""


@dataclass(frozen=True)
class Verdict:
    """What brings a sound to a target.

    Attributes:
        target_lufs: integrated loudness that is to be reached.
        ceiling_dbtp: true peak that must not be exceeded.
        gain_db: gain that gives the target's loudness.
        limit_db: decibels by which the peaks would then exceed the ceiling, and that a limiter must take; 0 if none.
        clean_gain_db: the largest gain up to ``gain_db`` that needs no limiter.
        clean_lufs: loudness after ``clean_gain_db``.
    """

    target_lufs: float
    ceiling_dbtp: float
    gain_db: float
    limit_db: float
    clean_gain_db: float
    clean_lufs: float

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        target = f"{self.target_lufs:g} LUFS"
        if self.limit_db >= _ENOUGH:
            return (
                f"{self.gain_db:+.1f} dB to {target} puts peaks {self.limit_db:.1f} dB over {self.ceiling_dbtp:g} dBTP"
                f": limit by that, or stop at {self.clean_gain_db:+.1f} dB ({self.clean_lufs:.1f} LUFS)"
            )
        return (
            f"at {target}" if abs(self.gain_db) < _ENOUGH else f"{self.gain_db:+.1f} dB to {target}, no limiter needed"
        )


def verdict(
    loudness: Loudness, target_lufs: float = STREAMING_LUFS, ceiling_dbtp: float = STREAMING_DBTP
) -> Verdict | None:
    """Return what brings a sound to a target; None if it has no loudness or no true peak.

    Args:
        loudness: loudness of the sound, with its true peak.
        target_lufs: integrated loudness to reach.
        ceiling_dbtp: true peak not to exceed.

    >>> verdict(Loudness(-9.0, -6.0, -7.0, 5.0, 0.4)).sentence
    '-5.0 dB to -14 LUFS, no limiter needed'
    >>> verdict(Loudness(-20.0, -15.0, -17.0, 9.0, -3.0)).sentence
    '+6.0 dB to -14 LUFS puts peaks 4.0 dB over -1 dBTP: limit by that, or stop at +2.0 dB (-18.0 LUFS)'
    """
    if loudness.integrated_lufs is None or loudness.true_peak_dbtp is None:
        return None
    gain = target_lufs - loudness.integrated_lufs
    room = ceiling_dbtp - loudness.true_peak_dbtp
    clean_gain = min(gain, room)
    return Verdict(
        target_lufs, ceiling_dbtp, gain, max(gain - room, 0.0), clean_gain, loudness.integrated_lufs + clean_gain
    )
