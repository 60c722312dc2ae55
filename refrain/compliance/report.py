"""A report of the check: as text, JSON, or JUnit XML, which every CI reads."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from xml.etree import ElementTree

from feature_repo.output.json_text import to_json
from feature_repo.output.plain import inert
from refrain.compliance.check import Judgement, Report

_SIGNS = {"error": "error", "warn": "warning", "off": "exempt"}


def as_text(report: Report) -> Iterator[str]:
    """Yields the lines of a report for a terminal: breaches, then the numbers."""
    for judgement in report.judgements:
        breach = judgement.breach
        yield f"{_SIGNS[judgement.level]:8}{judgement.rule.name}: {breach.subject}: {breach.problem}"
        yield f"        {f'exempt: {judgement.reason}' if judgement.reason else f'next: {breach.next_command}'}"
    counts = {sign: len(report.of_level(level)) for level, sign in _SIGNS.items()}  # type: ignore[arg-type]
    numbers = f"{counts['error']} errors, {counts['warning']} warnings, {counts['exempt']} exempt"
    yield f"{len(report.rules)} rules: {numbers}"


def as_json(report: Report) -> str:
    """One JSON object: rules, breaches, and whether all rules that bind are kept."""
    breaches = [
        {"rule": each.rule.name, "level": each.level, "reason": each.reason, **asdict(each.breach)}
        for each in report.judgements
    ]
    rules = {name: rule.about for name, rule in report.rules.items()}
    return to_json({"kept": report.is_kept, "rules": rules, "breaches": breaches})


def as_junit(report: Report) -> str:
    """A test suite with one case a rule: failed by errors; warnings and exemptions are its output."""
    failed = {judgement.rule.name for judgement in report.of_level("error")}
    suite = ElementTree.Element("testsuite", name="refrain comply", tests=str(len(report.rules)))
    suite.set("failures", str(len(failed)))
    for name, rule in report.rules.items():
        case = ElementTree.SubElement(suite, "testcase", classname="refrain.comply", name=name)
        own = [judgement for judgement in report.judgements if judgement.rule is rule]
        if errors := [each for each in own if each.level == "error"]:
            failure = ElementTree.SubElement(case, "failure", message=_xml_text(f"{rule.about} {len(errors)} do not."))
            failure.text = "\n".join(map(_line, errors))
        if others := [each for each in own if each.level != "error"]:
            ElementTree.SubElement(case, "system-out").text = "\n".join(map(_line, others))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _line(judgement: Judgement) -> str:
    breach, sign = judgement.breach, _SIGNS[judgement.level]
    return _xml_text(
        f"{sign}: {breach.subject}: {breach.problem}; {judgement.reason or f'next: {breach.next_command}'}"
    )


def _xml_text(text: str) -> str:
    """Returns a text of the characters that XML has, on one line."""
    return re.sub(r"[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", inert(text))
