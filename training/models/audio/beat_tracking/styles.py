"""The styles that arrangements are made in: meter, tempo, and what the drums play.

A pattern of a drum covers one bar, a letter for each division of a beat: ``x`` always, ``o`` often, ``-`` seldom, ``.``
never. Tempos are those at which listeners tap; where styles are counted in two ways, the beat is the one on which bass
drum and snare alternate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

DRUMS = {
    **{"kick": 36, "rim": 37, "snare": 38, "clap": 39, "closed": 42, "pedal": 44, "open": 46, "crash": 49},
    **{"ride": 51, "tambourine": 54, "cowbell": 56, "conga": 63, "shaker": 70},
}
"""Name → key of General MIDI's percussion."""
CHANCES = {"x": 1.0, "o": 0.6, "-": 0.15, ".": 0.0}


@dataclass(frozen=True)
class Style:
    """One style.

    Attributes:
        meter: beats of a bar.
        division: notes that a beat is divided into.
        tempos: slowest and fastest, in beats per minute.
        weight: how often it is drawn, relative to others.
        drums: name of a drum → pattern; empty without drums.
        swing: largest delay of every second division, as a share of a division.
    """

    meter: int
    division: int
    tempos: tuple[float, float]
    weight: float
    drums: Mapping[str, str] = field(default_factory=dict)
    swing: float = 0.0

    @property
    def steps(self) -> int:
        """Divisions of a bar."""
        return self.meter * self.division


def _style(meter: int, division: int, slowest: float, fastest: float, weight: float, **drums: str) -> Style:
    return Style(meter, division, (slowest, fastest), weight, drums)


EIGHTHS, SIXTEENTHS, BACKBEAT = "x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo", "....x.......x..."
QUARTERS, OFFBEATS = "x...x...x...x...", "..x...x...x...x."
STYLES = {
    "rock": _style(4, 4, 75, 180, 4, kick="x..-..o.x.o.-...", snare="....x.......x..-", closed=EIGHTHS),
    "rock in quarters": _style(4, 4, 90, 190, 2, kick="x.....o.x.o.....", snare=BACKBEAT, closed=QUARTERS),
    "rock with ride": _style(4, 4, 90, 190, 2, kick="x.o...o.x.o.....", snare=BACKBEAT, ride=EIGHTHS),
    "pop": _style(4, 4, 60, 115, 4, kick="x..o..x.--o..-..", snare="....x.......x..-", closed=SIXTEENTHS),
    "ballad": _style(4, 4, 48, 80, 5, kick="x.......x.o.....", snare=BACKBEAT, closed=EIGHTHS),
    "ballad in sixteenths": _style(4, 4, 48, 78, 5, kick="x.....o.x.o.....", snare=BACKBEAT, closed="x" * 16),
    "ballad with rim": _style(
        4, 4, 50, 85, 3, kick="x.....o.x.......", rim=BACKBEAT, closed=EIGHTHS, shaker="-o-o-o-o-o-o-o-o"
    ),
    "house": _style(4, 4, 112, 135, 3, kick=QUARTERS, clap=BACKBEAT, open=OFFBEATS, closed="o-o-o-o-o-o-o-o-"),
    "techno": _style(4, 4, 120, 150, 2, kick=QUARTERS, closed="x" * 16, open=OFFBEATS, clap="....o.......o..."),
    "disco": _style(4, 4, 105, 135, 2, kick=QUARTERS, snare=BACKBEAT, open=OFFBEATS, closed=QUARTERS),
    "funk": _style(4, 4, 85, 120, 3, kick="x.-o..o.--x..o--", snare="....x--o-o..x--o", closed=SIXTEENTHS),
    "hip hop": _style(4, 4, 70, 105, 4, kick="x..o..-.-.xo....", snare=BACKBEAT, closed="x.x.x.x.x.x.x.x-"),
    "trap": _style(
        4,
        8,
        60,
        80,
        2,
        kick="x.....o...-...o.x..o....-..o....",
        snare="........x...............x.......",
        closed="x.x.x.xox.x.xxx.x.x.x.xxx.xoxxxx",
    ),
    "drum and bass": _style(
        4, 4, 155, 180, 2, kick="x.........x.....", snare=BACKBEAT, closed=EIGHTHS, ride="--o---o---o---o-"
    ),
    "breakbeat": _style(4, 4, 95, 145, 2, kick="x.x......-x-....", snare="....x..o.o..x..o", closed=EIGHTHS),
    "reggae": _style(4, 4, 60, 95, 2, kick="........x.......", rim="........x.......", closed=EIGHTHS),
    "reggae in quarters": _style(4, 4, 65, 95, 1, kick=QUARTERS, rim=BACKBEAT, closed=EIGHTHS),
    "reggaeton": _style(4, 4, 82, 105, 2, kick=QUARTERS, snare="...x..x....x..x.", closed=EIGHTHS),
    "bossa nova": _style(4, 4, 55, 80, 2, kick="x..xx..xx..xx..x", rim="x..x..x...x..x..", closed="x" * 16),
    "bossa nova in eighths": _style(4, 2, 110, 160, 2, kick="x.ox.xox", rim="x..x..o.", closed="x" * 8),
    "samba": _style(
        2, 4, 75, 125, 2, kick="x..xx..x", closed="x" * 8, rim="x.x.xx.x", shaker="xoxoxoxo", tambourine="o..oo..o"
    ),
    "salsa": _style(4, 2, 150, 230, 1, cowbell="xoxoxoxo", conga="..x...xx", rim="x..x..x.", kick="...o..o."),
    "cha-cha-cha": _style(4, 2, 105, 135, 1, cowbell="x.x.x.x.", conga="..x...xx", shaker="x" * 8, kick="...x..x."),
    "swing": _style(
        4, 3, 100, 240, 5, ride="x..x.xx..x.x", pedal="...x.....x..", kick="o-----o-----", snare="--o--o--o--o"
    ),
    "swing in quarters": _style(
        4, 3, 100, 220, 2, ride="x..x..x..x..", pedal="...x.....x..", kick="x..x..x..x..", rim="---------o.."
    ),
    "shuffle": _style(4, 3, 80, 160, 4, kick="x....ox....-", snare="...x.....x..", closed="x.xx.xx.xx.x"),
    "slow blues": _style(4, 3, 48, 80, 4, kick="x....ox.....", snare="...x.....x..", closed="x" * 12),
    "doo-wop": _style(4, 3, 52, 85, 3, kick="x.....x.....", snare="...x.....x..", ride="x" * 12),
    "slow six eight": _style(2, 3, 45, 85, 4, kick="x.....", snare="...x..", closed="x" * 6),
    "six eight": _style(2, 3, 85, 140, 2, kick="x....o", snare="...x..", closed="x.xx.x", tambourine="o..o.."),
    "waltz": _style(3, 2, 85, 200, 5, kick="x.....", snare="..x.x.", closed="x.x.x."),
    "slow waltz": _style(3, 4, 60, 110, 3, kick="x...........", rim="....o...o...", closed="x.x.x.x.x.x."),
    "jazz waltz": _style(3, 3, 100, 200, 3, ride="x..x.xx..", pedal="...x.....", kick="x........", snare="-----o--o"),
    "metal": _style(4, 4, 100, 200, 2, kick="x" * 16, snare=BACKBEAT, crash=QUARTERS),
    "punk": _style(4, 4, 150, 210, 2, kick="x.....x.x.......", snare=BACKBEAT, open=EIGHTHS),
    "slow rock": _style(4, 4, 60, 85, 2, kick="x..o......x..o..", snare=BACKBEAT, ride=EIGHTHS),
    "soul": _style(4, 4, 100, 140, 2, kick="x...x.o.x...x.o.", snare=QUARTERS, tambourine=OFFBEATS, closed=EIGHTHS),
    "country": _style(2, 4, 85, 140, 2, kick="x...x...", snare="xoxxxoxx", pedal="..x...x."),
    "two-step": _style(2, 2, 85, 140, 3, kick="x...", snare="..x.", closed=".x.x"),
    "march": _style(2, 4, 100, 135, 2, kick="x...x...", snare="x.xxx.xx", crash="x......."),
    "polka": _style(2, 2, 100, 150, 1, kick="x.x.", snare=".x.x"),
    "five four": _style(
        5, 2, 100, 190, 1.5, ride="x.xxx.x.x.", kick="x.....x...", snare="...o....x.", pedal="..x.....x."
    ),
    "seven four": _style(7, 2, 110, 200, 1, kick="x...x...x.....", snare="..x...x.....x.", closed="x.x.x.x.x.x.x."),
    "afrobeat": _style(
        4, 3, 95, 130, 2, cowbell="x.x.xx.x.x.x", kick="x.....x.....", shaker="x" * 12, conga="--x-x--x-x--"
    ),
    "latin rock": _style(
        4,
        4,
        90,
        135,
        1,
        kick="x.....x.x.....x.",
        snare="............x...",
        cowbell=QUARTERS,
        conga="..x...xx..x...xx",
        closed=EIGHTHS,
    ),
    "swung hip hop": Style(
        4, 4, (70, 105), 2, {"kick": "x..o..-.-.xo....", "snare": BACKBEAT, "closed": SIXTEENTHS}, swing=0.16
    ),
    "very slow ballad": _style(
        4,
        8,
        30,
        50,
        3,
        kick="x.......o.......x...o...o.......",
        snare="........x.......o-......x.......",
        closed="x.x." * 8,
    ),
    "very slow ballad of three": _style(
        4, 6, 30, 50, 2, kick="x..o........x..o..o.....", snare="......x.....o.....x.....", closed="x.x." * 6
    ),
    "doom": _style(4, 4, 30, 55, 2, kick="x...x.o.x...x...", snare=BACKBEAT, ride=EIGHTHS, crash="o......." * 2),
    "very slow waltz": _style(3, 4, 32, 60, 1.5, kick="x...........", rim="....x...x...", closed="x.x.x.x.x.x."),
    "fast punk": _style(4, 2, 190, 300, 3, kick="x.x-xox-", snare="..x...x.", closed="x.x.x.x."),
    "skank beat": _style(4, 2, 200, 320, 3, kick="x.-.x.o.", snare="..x...x.", ride="x.x.x.x.", crash="o......."),
    "gabber": _style(4, 2, 190, 320, 2, kick="x.x.x.x.", open=".x.x.x.x", clap="..o...o."),
    "bebop": _style(
        4, 3, 210, 320, 3, ride="x..x.xx..x.x", pedal="...x.....x..", kick="o-----o-----", snare="--o--o--o--o"
    ),
    "fast two-step": _style(2, 2, 200, 300, 2, kick="x...", snare="..x.", closed=".x.x"),
    "fast waltz": _style(3, 2, 180, 260, 2, kick="x.....", snare="..x.x.", closed="x.o.o."),
    "four beats": _style(4, 4, 50, 135, 8),
    "four fast beats": _style(4, 2, 90, 190, 4),
    "four very fast beats": _style(4, 2, 190, 320, 2),
    "four very slow beats": _style(4, 8, 30, 52, 2),
    "three beats": _style(3, 2, 75, 190, 5),
    "three slow beats": _style(3, 4, 55, 100, 3),
    "two beats": _style(2, 4, 50, 130, 3),
    "two slow beats of three": _style(2, 3, 42, 110, 4),
    "four slow beats of three": _style(4, 3, 46, 110, 3),
}
