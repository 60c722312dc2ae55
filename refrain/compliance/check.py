"""The check: every rule over the facts, and what the policy makes of its breaches."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from feature_repo.contract import contract_of
from feature_repo.discovery import clash, definitions
from feature_repo.errors import InputError
from feature_repo.home import Home
from refrain.compliance.facts import Facts
from refrain.compliance.policy import FILE, Policy, read_policy
from refrain.compliance.rule import Breach, Level, Rule

ROOM = "compliance"
"""Kind of definitions, and package with the rules that every project has."""
EXPIRED = Rule("exemptions_valid", f"Exemptions in {FILE} have not ended.", lambda facts: iter(()))


@dataclass(frozen=True)
class Judgement:
    """One breach of one rule.

    Attributes:
        rule: the rule.
        breach: what breaks it.
        level: ``error``, ``warn``, or ``off`` where an exemption lets it pass.
        reason: the reason of the exemption; empty without one.
    """

    rule: Rule
    breach: Breach
    level: Level
    reason: str = ""


@dataclass(frozen=True)
class Report:
    """The result of a check.

    Attributes:
        rules: the rules that were checked, by name.
        judgements: breaches, by rule and subject.
    """

    rules: Mapping[str, Rule]
    judgements: tuple[Judgement, ...]

    def of_level(self, level: Level) -> list[Judgement]:
        """The breaches of a level."""
        return [judgement for judgement in self.judgements if judgement.level == level]

    @property
    def is_kept(self) -> bool:
        """Whether no rule is broken that binds."""
        return not self.of_level("error")


def rules_of(home: Home) -> dict[str, Rule]:
    """The rules that every project has, and those of this project, by name.

    Raises:
        InputError: two rules have one name.
    """
    rules = {EXPIRED.name: EXPIRED, **definitions("refrain.compliance.rules", Rule)}
    contract = contract_of(home)
    for name, rule in contract.find(Rule, ROOM).items():
        if rules.setdefault(name, rule) is not rule:
            raise clash(name, "Rule", "refrain.compliance.rules", contract.module_of(Rule, ROOM, name))
    return dict(sorted(rules.items()))


def check(home: Home, now: datetime, *, only: Collection[str] = (), policy_file: Path | None = None) -> Report:
    """Check the rules of a project.

    Args:
        home: the data folder.
        now: the moment as of which ages and dates count.
        only: names of the rules to check; all if empty.
        policy_file: the policy; ``compliance.toml`` beside the project's file if None.

    Raises:
        InputError: there is no such rule, or the policy, or a declaration, is not valid.
        StoreError: a file is damaged.

    >>> check(Home.from_env(), clock.now()).is_kept                                     # doctest: +SKIP
    True
    """
    facts, rules = Facts(home, now), rules_of(home)
    if unknown := sorted(set(only) - set(rules)):
        raise InputError(
            expected=f"rules among {', '.join(rules)}", found=repr(unknown[0]), next_command="refrain comply --rules"
        )
    if policy_file is None and home.project_folder is not None:
        policy_file = home.project_folder / FILE
    policy = read_policy(policy_file, rules, dict.fromkeys(_built_in(), _subjects(facts)))
    checked = {name: rule for name, rule in rules.items() if not only or name in only}
    judgements = [
        judgement
        for rule in checked.values()
        for judgement in _judged(rule, _breaches(rule, facts, policy), policy, now)
    ]
    return Report(checked, tuple(judgements))


def _breaches(rule: Rule, facts: Facts, policy: Policy) -> Iterable[Breach]:
    today = facts.now.date()
    if rule is EXPIRED:
        for exemption in policy.expired(today):
            subject = exemption.subject or "all"
            problem = f"the exemption of {subject} from {exemption.rule} ended on {exemption.until}"
            yield Breach(exemption.rule, problem, f"remove or renew it: line {exemption.line} of {policy.file}")
    elif policy.level_of(rule.name, "", today)[0] != "off":
        yield from sorted(rule.check(facts), key=lambda breach: (breach.subject, breach.problem))


def _judged(rule: Rule, breaches: Iterable[Breach], policy: Policy, now: datetime) -> Iterable[Judgement]:
    for breach in breaches:
        level, reason = policy.level_of(rule.name, breach.subject, now.date())
        yield Judgement(rule, breach, level, reason)


def _built_in() -> list[str]:
    return list(definitions("refrain.compliance.rules", Rule))


def _subjects(facts: Facts) -> set[str]:
    """What rules of every project can be about: raw tables, their columns, services, models."""
    columns = {f"{name}.{column}" for name, table in facts.tables.items() for column in table.columns}
    models = {folder.name for folder in facts.home.bundles("any").parent.glob("*/")}
    sets = {folder.name for folder in facts.home.training_sets.glob("*/")}
    return {*facts.tables, *columns, *facts.services, *models, *sets, *facts.periods}
