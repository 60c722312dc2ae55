"""YAML from outside: plain values only, in bounded size and depth, no name twice, no anchors, no tags."""

from pathlib import Path
from typing import Any

import yaml

from feature_repo.errors import InputError

LARGEST = 1 << 20
"""Bytes of a file."""
DEEPEST = 40
"""Levels of lists and mappings within each other."""
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(LOADER):
    """The safe loader, to which a name twice in a mapping is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str):
                raise yaml.constructor.ConstructorError(None, None, f"the name {name!r} is not a text", key.start_mark)
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the name {name!r} stands twice", key.start_mark)
            seen.add(name)
        return dict(super().construct_mapping(node, deep))


def read(path: Path, *, next_command: str) -> dict[str, Any]:
    """Reads one document.

    Args:
        path: the file.
        next_command: command for the error.

    Returns:
        The mapping that is the document: texts, numbers, booleans, dates and times, None, lists and mappings.

    Raises:
        InputError: the file is not there, too large, empty, not UTF-8, no YAML, or has what is not allowed; the place
            is named.
    """

    def refuse(found: str) -> InputError:
        return InputError(expected=f"a YAML document of plain values in {path}", found=found, next_command=next_command)

    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise refuse(f"{size / 1e6:,.1f} MB; at most {LARGEST / 1e6:,.1f} MB are read")
        text = path.read_bytes().decode()
    except OSError as error:
        raise refuse(error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise refuse(f"bytes that are not UTF-8, at byte {error.start}") from error
    if not text.strip():
        raise refuse("an empty file")
    try:
        _check_events(text)
        document = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise refuse(_words(error)) from error
    except (ValueError, OverflowError) as error:  # a day such as 2026-02-31
        raise refuse(str(error)) from error
    if not isinstance(document, dict):
        raise refuse("an empty document" if document is None else f"a {type(document).__name__}, not a mapping")
    return document


def _check_events(text: str) -> None:
    """Refuses aliases, which make a small file large, tags, and documents that are too deep, before anything is built.

    Raises:
        YAMLError: there is one, or the text is no YAML.
    """
    depth = documents = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        problem = ""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            problem = f"the anchor or alias {event.anchor!r}, which are not allowed"
        elif getattr(event, "tag", None):
            problem = f"the tag {event.tag!r}, which are not allowed"
        elif depth > DEEPEST:
            problem = f"more than {DEEPEST} levels within each other"
        elif documents > 1:
            problem = "several documents"
        if problem:
            raise yaml.constructor.ConstructorError(None, None, problem, event.start_mark)


def _words(error: yaml.YAMLError) -> str:
    """The problem and its line, without a piece of the file."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).partition("\n")[0]
    return f"{problem}{'' if mark is None else f' in line {mark.line + 1}'}"
