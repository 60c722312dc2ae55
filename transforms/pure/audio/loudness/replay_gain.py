"""Tags of ReplayGain 2.0, by which players play files equally loud."""

from transforms.pure.audio.loudness.meter import Loudness

REFERENCE_LUFS = -18.0


def replay_gain(loudness: Loudness) -> dict[str, str]:
    """Return the tags of a track: its gain, and its true peak as an amplitude; none without a loudness.

    Args:
        loudness: loudness of the track, with its true peak.

    >>> replay_gain(Loudness(-9.5, -6.0, -7.0, 5.0, 0.0))
    {'REPLAYGAIN_TRACK_GAIN': '-8.50 dB', 'REPLAYGAIN_TRACK_PEAK': '1.000000'}
    """
    if loudness.integrated_lufs is None:
        return {}
    tags = {"REPLAYGAIN_TRACK_GAIN": f"{REFERENCE_LUFS - loudness.integrated_lufs:+.2f} dB"}
    if loudness.true_peak_dbtp is not None:
        tags["REPLAYGAIN_TRACK_PEAK"] = f"{10 ** (loudness.true_peak_dbtp / 20):.6f}"
    return tags
