"""Which rules bind: the file ``compliance.toml`` beside a project's ``refrain.toml``.

::

    [rules.model_reviewed]
    level = "warn"                       # error, warn or off; a lower level than the rule's needs a reason and an end
    reason = "reviews begin in autumn"
    until = 2027-09-30

    [[waivers]]                          # one subject of one rule
    rule = "retention_set"
    subject = "tags"
    reason = "kept for the study, with consent"
    until = 2027-06-30
"""

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, get_args

from feature_repo.errors import InputError
from refrain.compliance.rule import Level, Rule

FILE = "compliance.toml"
_LEVELS: tuple[Level, ...] = get_args(Level)
_RULE_KEYS, _WAIVER_KEYS = {"level", "reason", "until"}, {"rule", "subject", "reason", "until"}


@dataclass(frozen=True)
class Exemption:
    """A rule that binds less for a while, or not for one subject.

    Attributes:
        rule: name of the rule.
        subject: the subject; empty for all.
        level: the level of its breaches meanwhile.
        reason: why.
        until: last day.
        line: line of the file.
    """

    rule: str
    subject: str
    level: Level
    reason: str
    until: date
    line: int


@dataclass(frozen=True)
class Policy:
    """The rules that bind.

    Attributes:
        levels: rule → the level that it has without exemptions.
        exemptions: exemptions in the order of the file.
        file: the file; None without one.
    """

    levels: Mapping[str, Level]
    exemptions: tuple[Exemption, ...] = ()
    file: Path | None = None

    def level_of(self, rule: str, subject: str, today: date) -> tuple[Level, str]:
        """The level of a breach, and the reason if an exemption lowers it."""
        for exemption in self.exemptions:
            if exemption.rule == rule and exemption.subject in ("", subject) and exemption.until >= today:
                return exemption.level, exemption.reason
        return self.levels[rule], ""

    def expired(self, today: date) -> list[Exemption]:
        """The exemptions that have ended."""
        return [exemption for exemption in self.exemptions if exemption.until < today]


def read_policy(file: Path | None, rules: Mapping[str, Rule], subjects: Mapping[str, Collection[str]]) -> Policy:
    """Read a policy.

    Args:
        file: the file; without it, or where it is not there, every rule has its own level.
        rules: all rules by name.
        subjects: rule → the subjects that it can have, for those of which they are known.

    Raises:
        InputError: the file is malformed, or names a rule or a subject that is not there, or one twice; the error says
            on which line.
    """
    levels: dict[str, Level] = {name: rule.level for name, rule in rules.items()}
    if file is None or not file.is_file():
        return Policy(levels)
    reader = _Reader(file, rules, subjects)
    exemptions = [*reader.waivers(), *reader.rules(levels)]
    return Policy(levels, tuple(exemptions), file)


class _Reader:
    def __init__(self, file: Path, rules: Mapping[str, Rule], subjects: Mapping[str, Collection[str]]) -> None:
        self._file, self._rules, self._subjects = file, rules, subjects
        try:
            self._text = file.read_text(encoding="utf-8")
            self._content = tomllib.loads(self._text)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise InputError(expected=f"TOML in {file}", found=str(error), next_command=f"correct {file}") from error
        if unknown := sorted(set(self._content) - {"rules", "waivers"}):
            raise self._invalid("the sections [rules.NAME] and [[waivers]]", repr(unknown[0]), self._line(unknown[0]))

    def rules(self, levels: dict[str, Level]) -> list[Exemption]:
        """The exemptions of whole rules; sets the levels of those that are no lower than their own."""
        sections = self._content.get("rules", {})
        if not isinstance(sections, dict) or not all(isinstance(section, dict) for section in sections.values()):
            raise self._invalid("sections such as [rules.retention_set]", repr(sections)[:80], self._line("rules"))
        exemptions = []
        for name, section in sections.items():
            line = self._line(f"rules.{name}")
            self._check(name, section, _RULE_KEYS, line)
            level = section.get("level")
            if level not in _LEVELS:
                raise self._invalid(f"level as one of {', '.join(_LEVELS)}", repr(level), line)
            if _LEVELS.index(level) <= _LEVELS.index(self._rules[name].level):
                levels[name] = level
            else:
                exemptions.append(Exemption(name, "", level, *self._why(section, line), line))
        return exemptions

    def waivers(self) -> list[Exemption]:
        """The exemptions of single subjects."""
        sections = self._content.get("waivers", [])
        if not isinstance(sections, list) or not all(isinstance(section, dict) for section in sections):
            raise self._invalid("sections [[waivers]]", repr(sections)[:80], self._line("waivers"))
        lines: dict[tuple[str, str], int] = {}
        exemptions = []
        for number, section in enumerate(sections):
            line = self._line("waivers", number)
            rule, subject = section.get("rule"), section.get("subject")
            if not isinstance(rule, str) or not isinstance(subject, str) or not subject:
                raise self._invalid("a waiver with a rule and a subject", repr(section), line)
            self._check(rule, section, _WAIVER_KEYS, line)
            known = self._subjects.get(rule)
            if known is not None and subject not in known:
                raise self._unknown("subject", subject, known, line)
            if (rule, subject) in lines:
                found = f"a second one, besides that on line {lines[rule, subject]}"
                raise self._invalid(f"one waiver of {rule} for {subject}", found, line)
            lines[rule, subject] = line
            exemptions.append(Exemption(rule, subject, "off", *self._why(section, line), line))
        return exemptions

    def _check(self, rule: str, section: Mapping[str, Any], keys: set[str], line: int) -> None:
        if rule not in self._rules:
            raise self._unknown("rule", rule, self._rules, line)
        if unknown := sorted(set(section) - keys):
            raise self._invalid(f"the options {', '.join(sorted(keys))}", repr(unknown[0]), line)

    def _why(self, section: Mapping[str, Any], line: int) -> tuple[str, date]:
        reason, until = section.get("reason"), section.get("until")
        if not isinstance(reason, str) or not reason.strip():
            raise self._invalid("a reason, as what binds less than the rule says needs one", repr(reason), line)
        if type(until) is not date:
            raise self._invalid("until as a day such as 2027-06-30", repr(until), line)
        return reason.strip(), until

    def _unknown(self, what: str, name: str, names: Collection[str], line: int) -> InputError:
        near = difflib.get_close_matches(name, names, 1)
        listed = ", ".join(sorted(names)[:40])
        remedy = f"write {near[0]!r} below line {line} of {self._file}" if near else ""
        return self._invalid(f"a {what} that is there: {listed}", repr(name), line, remedy)

    def _line(self, section: str, number: int = 0) -> int:
        """The line of a section, or of a key outside of sections; 1 if it is not found."""
        pattern = rf"""\s*(?:\[+\s*{re.escape(section)}\s*\]|["']?{re.escape(section)}["']?\s*=)"""
        lines = self._text.replace('"', "").splitlines()
        places = [place for place, line in enumerate(lines, 1) if re.match(pattern, line)]
        return places[number] if number < len(places) else 1

    def _invalid(self, expected: str, found: str, line: int, remedy: str = "") -> InputError:
        return InputError(
            expected=f"{expected}, in {self._file}",
            found=f"{found} on line {line}",
            next_command=remedy or f"correct what begins on line {line} of {self._file}",
        )
