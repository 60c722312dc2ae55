"""Texts from a file, and answers for a terminal."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from feature_repo.errors import InputError
from inference.text.analyzer import MOST_TEXTS, TextAnswer, label

_SHOWN = 100


def read(path: Path) -> list[bytes]:
    """Lines of a file, or of standard input; empty ones are left out.

    Raises:
        InputError: there is no such file, or it has too many lines.
    """
    if str(path) == "-":
        content = sys.stdin.buffer.read()
    elif path.is_file():
        content = path.read_bytes()
    else:
        raise InputError(
            expected="a file with one text a line",
            found=f"nothing at {path}",
            next_command="python -m inference text --help",
        )
    lines = [line for line in content.splitlines() if line.strip()]
    if len(lines) > MOST_TEXTS:
        raise InputError(
            expected=f"{MOST_TEXTS:,} lines at the most",
            found=f"{len(lines):,}",
            next_command=f"head -{MOST_TEXTS} '{path}' | python -m inference text --file -",
        )
    return lines


def as_lines(answer: TextAnswer) -> Iterator[str]:
    """One answer."""
    one = answer.analysis
    shown = " ".join(one.text.split())
    yield f"“{shown[:_SHOWN]}{'…' if len(shown) > _SHOWN else ''}”"
    told = [f"{one.language} ({one.language_confidence:.2f})", f"{one.words:,} words"]
    if one.sentiment is not None:
        told.append(f"{label(one.sentiment)} ({max(one.sentiment, 1 - one.sentiment):.2f})")
    if one.emotions:
        best = sorted(one.emotions, key=lambda name: -one.emotions[name])[:2]  # type: ignore[index]
        told.append(" ".join(f"{name} ({one.emotions[name]:.2f})" for name in best))
    yield "  " + ", ".join(told)
    measures = {
        "subjectivity": one.subjectivity,
        "explicit words a hundred": one.explicitness,
        "repetition": one.repetition,
        "rhyme": one.rhyme_density,
        "vocabulary": one.vocabulary_richness,
    }
    known = ", ".join(f"{name} {value:.2f}" for name, value in measures.items() if value is not None)
    if known:
        yield f"  {known}"
    if answer.tags:
        yield "  tags: " + ", ".join(f"{tag} ({chance:.2f})" for tag, chance in answer.tags.items())
    if answer.topic:
        yield f"  topic: {', '.join(answer.topic[1])}"
    if one.masked:
        yield "  masked: " + ", ".join(f"{count} {kind}" for kind, count in one.masked.items())
    if one.marks:
        yield f"  marks: {', '.join(one.marks)}"


def line_of_json(answer: TextAnswer) -> str:
    """One answer as JSON, without vectors."""
    told = {name: value for name, value in vars(answer.analysis).items() if name not in ("topics", "vector")}
    topic = list(answer.topic[1]) if answer.topic else None
    return json.dumps({**told, "tags": answer.tags, "topic": topic}, ensure_ascii=False, default=dict)
