"""Published lexicons, read from installed packages; they replace labels until texts are labelled.

VADER (Hutto and Gilbert 2014, MIT): how positive a word is, rated by ten people. TextBlob's subjectivity lexicon (De
Smedt and Daelemans 2012, public domain).
"""

import xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path

from feature_repo.errors import InputError
from feature_repo.extras import install_command

STRONG = 1.5
"""Minimum absolute value, on VADER's scale of -4 to 4, of a word that is informative by itself."""


def polarity() -> dict[str, float]:
    """Read VADER's lexicon: English word → -4 (negative) to 4 (positive)."""
    values = {}
    for line in (_folder("vaderSentiment") / "vader_lexicon.txt").read_text(encoding="utf-8").splitlines():
        word, _, rest = line.partition("\t")
        if rest and word.replace("-", "").replace("'", "").isalpha():
            values[word.lower()] = float(rest.split("\t")[0])
    return values


def subjectivity() -> dict[str, float]:
    """Read TextBlob's lexicon: English word → 0 (fact) to 1 (opinion), the mean over its senses."""
    senses: dict[str, list[float]] = {}
    for word in ET.parse(_folder("textblob") / "en" / "en-sentiment.xml").getroot():
        senses.setdefault(str(word.get("form")), []).append(float(word.get("subjectivity", "0")))
    return {word: round(sum(values) / len(values), 4) for word, values in sorted(senses.items()) if " " not in word}


def _folder(package: str) -> Path:
    """Return the folder of an installed package without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            expected=f"the package {package} with its lexicon",
            found="it is not installed",
            next_command=install_command("training"),
        )
    return Path(next(iter(spec.submodule_search_locations)))
