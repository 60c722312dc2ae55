"""Reads texts from a file, and formats answers for the terminal and as JSON."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from feature_repo.errors import InputError
from feature_repo.output.json_text import to_json
from inference.text.analyzer import MOST_TEXTS, TextAnswer, label

_MAX_SHOWN = 100
_TABLES = (".csv", ".tsv", ".json", ".jsonl")


def read(path: Path, column: str = "") -> Sequence[str | bytes]:
    """Read the texts of a column, or the lines of a file or of standard input; empty ones are left out.

    Args:
        path: the file, in any encoding; ``-`` for standard input.
        column: column or field of a table or of JSON. Without it, a table (.csv, .tsv) or JSON (.json, .jsonl) is read
            by the usual names of columns, and of another file every line is a text.

    Raises:
        InputError: there is no such file, no such column, or it has too many texts.
    """
    if str(path) == "-":
        lines: Sequence[str | bytes] = [line for line in sys.stdin.buffer.read().splitlines() if line.strip()]
    elif path.is_file():
        lines = _texts(path, column)
    else:
        raise InputError(
            expected="a file of texts",
            found=f"nothing at {path}",
            next_command="refrain text --help",
        )
    if len(lines) > MOST_TEXTS:
        raise InputError(
            expected=f"{MOST_TEXTS:,} texts at the most",
            found=f"{len(lines):,}",
            next_command=f"head -{MOST_TEXTS} '{path}' | refrain text --file -",
        )
    return lines


def _texts(path: Path, column: str) -> list[str]:
    from transforms.raw.files.members import single  # brings data frames, which serving does without
    from transforms.raw.files.text import recognize
    from transforms.raw.importers.texts import texts_of

    if column or path.suffix.lower() in _TABLES:
        return texts_of(path, column or None)
    lines = (line.encode(errors="replace").decode() for line in recognize(single(path)).lines())
    return [line for line in lines if line.strip("\ufeff \t\x0b\x0c")]


def as_lines(answer: TextAnswer) -> Iterator[str]:
    """Format one answer as lines of text."""
    analysis = answer.analysis
    text = " ".join(analysis.text.split())
    yield f"“{text[:_MAX_SHOWN]}{'…' if len(text) > _MAX_SHOWN else ''}”"
    headline = [f"{analysis.language} ({analysis.language_confidence:.2f})", f"{analysis.words:,} words"]
    if analysis.sentiment is not None:
        headline.append(f"{label(analysis.sentiment)} ({max(analysis.sentiment, 1 - analysis.sentiment):.2f})")
    if analysis.emotions:
        best = sorted(analysis.emotions, key=lambda name: -analysis.emotions[name])[:2]  # type: ignore[index]
        headline.append(" ".join(f"{name} ({analysis.emotions[name]:.2f})" for name in best))
    yield "  " + ", ".join(headline)
    measures = {
        "subjectivity": analysis.subjectivity,
        "explicit words a hundred": analysis.explicitness,
        "repetition": analysis.repetition,
        "rhyme": analysis.rhyme_density,
        "vocabulary": analysis.vocabulary_richness,
    }
    numbers = ", ".join(f"{name} {value:.2f}" for name, value in measures.items() if value is not None)
    if numbers:
        yield f"  {numbers}"
    if answer.tags:
        yield "  tags: " + ", ".join(f"{tag} ({chance:.2f})" for tag, chance in answer.tags.items())
    if answer.topic:
        yield f"  topic: {', '.join(answer.topic[1])}"
    if analysis.masked:
        yield "  masked: " + ", ".join(f"{count} {kind}" for kind, count in analysis.masked.items())
    if analysis.marks:
        yield f"  marks: {', '.join(analysis.marks)}"


def line_of_json(answer: TextAnswer) -> str:
    """Format one answer as JSON, without vectors."""
    fields = {name: value for name, value in vars(answer.analysis).items() if name not in ("topics", "vector")}
    topic = list(answer.topic[1]) if answer.topic else None
    return to_json({**fields, "tags": answer.tags, "topic": topic}, default=dict)
