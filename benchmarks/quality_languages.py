"""Quality of language detection on short lines in 27 languages: both models together, fastText and py3langid alone.

``--translations FOLDER …`` takes gettext catalogues (``…/LANGUAGE/LC_MESSAGES/*.mo``), such as those of a Linux system
or of Django: lines of three to twelve words without placeholders, at most 200 of each language, drawn with a fixed
seed. The originals are the English lines. ``--lines FILE …`` takes ``language<TAB>line``. Norwegian is one language;
lines that were not translated well or hold English names count like others, so no method can reach 1.

Judged on: development for translations: the weight of the pool was chosen on them. Held out for ``--lines``: sentences
of manual pages and sayings of fortune, measured after the choice.
"""

import argparse
import gettext
import json
import random
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.surroundings import MACHINE, case_of_quality, data_set
from transforms.pure.text import language

LANGUAGES = (
    *("bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hr", "hu", "it"),
    *("lt", "lv", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "tr", "uk"),
)
FOLDERS = {"no": ("nb", "no"), "pt": ("pt", "pt_BR")}
"""Language → folders of its catalogues, where these are not named as it is."""
SAME = {"nb": "no", "nn": "no", "bs": "hr", "sh": "hr"}
CLOSE = ("da", "no")
MOST_LINES, SEED = 200, 0
_NO_LINE = re.compile(r"[%{}<>_=/\\@$|#]|--|https?:|\d{3}")
GOAL = 0.93


def main() -> None:
    """Print progress, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--translations", type=Path, nargs="+", help="folders of gettext catalogues")
    parser.add_argument("--lines", type=Path, nargs="*", default=[], help="files of language<TAB>line")
    options = parser.parse_args()
    started = time.perf_counter()
    folders = options.translations or [data_set("translations")]
    sources = {f"translations of {_source(folder)}": translations(folder) for folder in folders}
    sources |= {f"lines of {file.stem}": read_lines(file) for file in options.lines}
    cases = [case for name, lines in sources.items() for case in measured(name, lines)]
    seconds = round(time.perf_counter() - started, 1)
    result = {"benchmark": "quality_languages", "machine": MACHINE, "seconds": seconds, "figures": {}, "cases": cases}
    print(json.dumps(result))


def _source(folder: Path) -> str:
    return "the system" if folder.name == "locale" else folder.name


def translations(folder: Path) -> list[tuple[str, str]]:
    """Return language and line of the catalogues in a folder."""
    lines = []
    for code in LANGUAGES:
        texts: set[str] = set()
        for name in FOLDERS.get(code, ("de",) if code == "en" else (code,)):
            for file in sorted(folder.glob(f"**/{name}/LC_MESSAGES/*.mo")):
                for original, translated in _catalogue(file).items():
                    text = original if code == "en" else translated
                    is_text = isinstance(text, str) and isinstance(original, str)
                    if is_text and (code == "en" or text != original):
                        texts.add(" ".join(text.split()))
        shuffled = sorted(filter(is_line, texts))
        random.Random(SEED).shuffle(shuffled)
        lines += [(code, text) for text in shuffled[:MOST_LINES]]
    return lines


def _catalogue(file: Path) -> dict[Any, Any]:
    """Return original → translation; empty for a catalogue that is not UTF-8."""
    try:
        with file.open("rb") as handle:
            catalogue: dict[Any, Any] = gettext.GNUTranslations(handle)._catalog  # type: ignore[attr-defined]
            return catalogue
    except (UnicodeDecodeError, OSError):
        return {}


def is_line(text: str) -> bool:
    """Return whether a text is a short line in a human language."""
    letters = sum(character.isalpha() for character in text)
    return 3 <= len(text.split()) <= 12 and letters >= 12 and not _NO_LINE.search(text)


def read_lines(file: Path) -> list[tuple[str, str]]:
    """Return language and line of a file."""
    rows = (line.partition("\t") for line in file.read_text().splitlines())
    return [(code, text) for code, _, text in rows if text]


def measured(name: str, lines: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Measure each method on the lines of one source."""
    truth, texts = [code for code, _ in lines], [text for _, text in lines]
    methods: dict[str, Callable[[Sequence[str]], list[str]]] = {
        "": lambda texts: [code for code, _ in language.languages(texts)],
        ", fastText alone": fasttext,
        ", py3langid alone": bytes_alone,
    }
    cases = []
    for method, answer in methods.items():
        started = time.process_time()
        answers = [SAME.get(code, code) for code in answer(texts)]
        seconds = time.process_time() - started
        is_right = [given == true for given, true in zip(answers, truth, strict=True)]
        case_name = f"{len(texts):,} {name}{method}"
        cases.append(case_of_quality(case_name, "accuracy", sum(is_right) / len(is_right), None if method else GOAL))
        close = [right for right, true in zip(is_right, truth, strict=True) if true in CLOSE]
        if close:
            cases.append(case_of_quality(case_name, "accuracy_of_danish_and_norwegian", sum(close) / len(close)))
        cases.append(case_of_quality(case_name, "lines_a_second", round(len(texts) / seconds)))
    return cases


def fasttext(texts: Sequence[str]) -> list[str]:
    """Return the languages by fastText alone."""
    detector = language._detector()
    return [detector.detect(text, model="lite", k=1)[0]["lang"] for text in texts]


def bytes_alone(texts: Sequence[str]) -> list[str]:
    """Return the languages by py3langid alone."""
    model = language._byte_model()
    return [model.classify(text)[0] for text in texts]


if __name__ == "__main__":
    main()
