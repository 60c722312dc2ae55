"""Musical styles of genres: tempo, meter, rhythm, instruments, arousal and valence."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """The style of one genre.

    Attributes:
        tempo: lowest and highest beats per minute.
        arousal: mean, 0 (calm) to 1 (wild).
        valence: mean, 0 (sad) to 1 (happy).
        chords: instruments for chords; one or two are used.
        leads: instruments for the melody.
        bass: probability of a bass.
        drums: drum pattern: none, four (on the floor), back (beat), half (time), swing, latin, blast, brushes.
        swing: delay of the second half of a beat, as a share of the beat.
        waltz: probability of three beats per bar.
        comping: ways to play chords: held, strummed, offbeat, broken, riff.
        drive: strength of distortion.
        room: seconds of reverberation.
    """

    tempo: tuple[float, float]
    arousal: float
    valence: float
    chords: tuple[str, ...]
    leads: tuple[str, ...]
    bass: float = 0.9
    drums: str = "back"
    swing: float = 0.0
    waltz: float = 0.0
    comping: tuple[str, ...] = ("held", "strummed")
    drive: float = 1.0
    room: float = 0.4


STYLES = {
    "pop": Style((90, 130), 0.6, 0.7, ("piano", "synth", "guitar"), ("voice", "synth"), comping=("held", "strummed")),
    "rock": Style((105, 150), 0.75, 0.5, ("guitar", "organ"), ("voice", "guitar"), drive=4.0, comping=("strummed",)),
    "hip-hop": Style((75, 100), 0.55, 0.4, ("piano", "synth", "strings"), ("voice",), drums="half", room=0.15),
    "electronic": Style(
        (118, 140), 0.8, 0.6, ("synth",), ("synth",), drums="four", comping=("offbeat", "riff"), drive=2.0
    ),
    "jazz": Style(
        (100, 190), 0.5, 0.6, ("piano", "guitar"), ("brass", "flute"), drums="swing", swing=0.28, comping=("offbeat",)
    ),
    "classical": Style(
        (66, 130), 0.35, 0.5, ("strings", "piano"), ("strings", "flute", "brass"), 0.0, "none", 0.0, 0.4, room=1.4
    ),
    "folk": Style(
        (80, 130), 0.35, 0.55, ("guitar",), ("voice", "flute"), 0.5, "none", 0.06, 0.35, ("broken", "strummed")
    ),
    "metal": Style(
        (120, 190), 0.95, 0.2, ("guitar",), ("guitar", "voice"), 1.0, "blast", comping=("riff",), drive=14.0, room=0.2
    ),
    "r&b": Style((62, 96), 0.4, 0.55, ("piano", "organ", "synth"), ("voice",), drums="half", swing=0.16),
    "latin": Style(
        (88, 125), 0.7, 0.85, ("guitar", "piano"), ("brass", "voice"), drums="latin", comping=("offbeat", "broken")
    ),
    "ambient": Style(
        (55, 85), 0.1, 0.45, ("synth", "strings"), ("flute", "synth"), 0.2, "none", comping=("held",), room=2.5
    ),
    "country": Style(
        (95, 135), 0.5, 0.7, ("guitar", "piano"), ("voice", "guitar"), drums="brushes", waltz=0.2, comping=("broken",)
    ),
}
"""Genre (``transforms.raw.simulate.world.GENRES``) → its style."""

PATTERNS = {  # sixteenths of a bar of four: kick, snare, hat
    "four": ("x...x...x...x...", "....x.......x...", "..x...x...x...x."),
    "back": ("x.......x.x.....", "....x.......x...", "x.x.x.x.x.x.x.x."),
    "half": ("x.....x...x.....", "........x.......", "x.xxx.x.x.x.xxx."),
    "swing": ("x.......x.......", "......x.......x.", "x...x.x.x...x.x."),
    "latin": ("x..x....x..x....", "...x..x....x..x.", "x.x.x.x.x.x.x.x."),
    "blast": ("x.x.x.x.x.x.x.x.", "....x.......x..x", "x...x...x...x..."),
    "brushes": ("x.......x.......", "....x.......x...", "x.x.x.x.x.x.x.x."),
}
PROGRESSIONS = ((0, 4, 5, 3), (0, 3, 4, 4), (0, 5, 3, 4), (0, 3, 0, 4), (0, 1, 4, 0), (5, 3, 0, 4))
"""Chord progressions: the root of each bar, as a degree of the scale."""
