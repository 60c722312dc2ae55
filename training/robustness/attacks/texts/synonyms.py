"""Words replaced by words that mean the same.

The groups are a short list of our own, in which every word may stand for every other in a review or a comment. The
neighbours of a word in our own latent vectors do not serve for this: good and bad are neighbours there.
"""

import re
from functools import cache

import numpy as np

from training.robustness.attack import Attack, by_change

GROUPS = (
    "film movie picture",
    "song tune track",
    "music sound",
    "singer vocalist",
    "band group",
    "album record",
    "story tale plot",
    "actor performer",
    "scene moment",
    "viewer spectator",
    "audience public crowd",
    "kid child youngster",
    "kids children youngsters",
    "man guy fellow",
    "woman lady",
    "people folks persons",
    "job work",
    "start beginning opening",
    "end ending close finish",
    "part portion section",
    "idea notion thought",
    "way manner",
    "kind sort type",
    "problem trouble difficulty",
    "chance opportunity",
    "very extremely highly",
    "really truly genuinely",
    "quite rather fairly",
    "almost nearly",
    "always constantly",
    "often frequently",
    "sometimes occasionally",
    "mostly mainly largely",
    "only just merely",
    "maybe perhaps possibly",
    "quickly rapidly fast",
    "big large huge",
    "small little tiny",
    "old aged ancient",
    "new fresh recent",
    "good fine nice decent",
    "great excellent superb terrific",
    "wonderful marvelous fantastic",
    "beautiful lovely gorgeous",
    "funny amusing humorous comical",
    "interesting intriguing engaging",
    "clever smart bright",
    "touching moving affecting",
    "exciting thrilling gripping",
    "enjoyable pleasant pleasing",
    "happy glad joyful",
    "sad unhappy sorrowful",
    "angry mad furious",
    "afraid scared frightened",
    "bad poor lousy",
    "terrible awful horrible dreadful",
    "boring dull tedious tiresome",
    "stupid dumb idiotic",
    "silly foolish ridiculous",
    "slow sluggish plodding",
    "empty hollow vacant",
    "ugly hideous unsightly",
    "predictable foreseeable",
    "confusing baffling puzzling",
    "disappointing unsatisfying",
    "love adore",
    "like enjoy",
    "hate detest loathe",
    "think believe",
    "feel sense",
    "look appear seem",
    "looks appears seems",
    "show display",
    "shows displays",
    "make create",
    "makes creates",
    "get obtain",
    "give provide",
    "gives provides",
    "need require",
    "want desire wish",
    "try attempt",
    "tries attempts",
    "watch view",
    "watching viewing",
    "buy purchase",
    "help aid assist",
    "entire whole complete",
    "true real actual",
    "hard difficult tough",
    "easy simple effortless",
    "strange odd weird peculiar",
    "serious grave solemn",
    "strong powerful",
    "weak feeble",
)
WORD = re.compile(r"[A-Za-z]+")


@cache
def by_word() -> dict[str, tuple[str, ...]]:
    """Returns word → words that may stand for it."""
    groups = [group.split() for group in GROUPS]
    return {word: tuple(other for other in group if other != word) for group in groups for word in group}


def substitute(text: str, share: float, rng: np.random.Generator) -> str:
    """Replaces a share of the words that have a synonym in the list.

    >>> substitute("A movie", 1.0, np.random.default_rng(0)) in ("A film", "A picture")
    True
    """

    def replace(match: re.Match[str]) -> str:
        others = by_word().get(match[0].lower(), ())
        if not others or rng.random() >= share:
            return match[0]
        other = others[int(rng.integers(len(others)))]
        return other.capitalize() if match[0][0].isupper() else other

    return WORD.sub(replace, text)


ATTACK = Attack(
    name="synonyms",
    kinds=("texts",),
    about="Words of a short list replaced by words that mean the same.",
    unit="share of the listed words",
    strengths=(0.5, 1.0),
    measure=by_change(substitute),
)
