"""The section ``[access]`` of ``refrain.toml``: roles, what each sees, and marks of features.

::

    [access]
    default = "trainer"                 # role of commands and notebooks without REFRAIN_ROLE
    users = { ann = "analyst" }         # the same, by user of the operating system

    [access.marks]                      # besides those that lineage finds
    "track_catalogue:title" = ["internal"]

    [access.roles.analyst]
    services = ["listener_v1"]          # "*" for all
    seen = ["personal"]                 # marks, features (view:feature) or views; "*" for all
    masked = { sensitive = "null", "user_profile:birth_year" = "round:10" }
    refused = ["user_profile:gender"]
    rows = { "user_profile:country" = ["DE"] }

Features without a mark are seen by everybody. A marked feature that no line of the role names is refused.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from feature_repo.access.masks import mask_of
from feature_repo.errors import InputError

EVERYTHING = "*"
OWN = "own"
"""Filter of a join key: only rows of the caller."""
MARKS = ("sensitive", "personal", "internal")
"""Marks that every project has; ``sensitive`` and ``personal`` follow raw columns through lineage."""
ROLE = r"[a-z][a-z0-9_]{0,31}"
"""Pattern of names of roles."""

RowFilter = tuple[str, tuple[str, ...] | None]
"""A join key, or a feature as ``view:feature``, and the values that are seen; None for the caller's own id."""


@dataclass(frozen=True)
class Role:
    """What one role sees.

    Attributes:
        name: name of the role.
        services: feature services that it may ask for; ``*`` stands for all.
        seen: marks, features and views that it sees as they are.
        masked: mark, feature or view → how its values are masked, as ``feature_repo.access.masks`` reads it.
        refused: marks, features and views that it does not get.
        rows: filters, all of which a row has to pass.
        break_glass: longest break-glass of this role in minutes; 0 if nobody may break glass into it.
        may_break_glass: roles of callers who may break glass into this role.
    """

    name: str
    services: tuple[str, ...]
    seen: tuple[str, ...] = ()
    masked: Mapping[str, str] = field(default_factory=dict, hash=False)
    refused: tuple[str, ...] = ()
    rows: tuple[RowFilter, ...] = ()
    break_glass: int = 0
    may_break_glass: tuple[str, ...] = ()

    def has_service(self, service: str) -> bool:
        """Whether the role may ask for a feature service.

        >>> Role("analyst", ("listener_v1",)).has_service("session_v1")
        False
        """
        return EVERYTHING in self.services or service in self.services

    @property
    def is_whole(self) -> bool:
        """Whether the role sees every column and row of every service."""
        return (
            EVERYTHING in self.services and EVERYTHING in self.seen and not (self.masked or self.refused or self.rows)
        )


@dataclass(frozen=True)
class AccessSettings:
    """The section ``[access]`` of a project.

    Attributes:
        roles: name → role, in the order of the file.
        marks: feature (``view:feature``) or view → marks besides inherited ones.
        users: user of the operating system → role of what they run.
        default: role of commands of everybody else; empty for none.
        digest: digest of the section, by which a manifest says which section it was compiled from.
    """

    roles: Mapping[str, Role] = field(hash=False)
    marks: Mapping[str, tuple[str, ...]] = field(hash=False)
    users: Mapping[str, str] = field(hash=False)
    default: str
    digest: str


def read_settings(section: Any) -> AccessSettings:
    """Reads and checks the section.

    Args:
        section: the section as TOML gives it.

    Raises:
        InputError: an option is unknown or has another form.

    >>> read_settings({"roles": {"analyst": {"services": ["listener_v1"]}}}).roles["analyst"].services
    ('listener_v1',)
    """
    options = _section(section, "[access]", ("roles", "marks", "users", "default"))
    roles = {
        name: _role(name, role) for name, role in _section(options.get("roles", {}), "[access.roles.NAME]").items()
    }
    for role in roles.values():
        for other in role.may_break_glass:
            _check(other in roles, f"roles of [access] in may_break_glass of {role.name}", other)
    users = _section(options.get("users", {}), 'users as { ann = "analyst" }')
    default = options.get("default", "")
    for name in (*users.values(), *([default] if default != "" else [])):
        _check(isinstance(name, str) and name in roles, f"a role of [access], one of {sorted(roles)}", name)
    marks = {
        feature: _texts(names, f"marks of {feature} as a list")
        for feature, names in _section(options.get("marks", {}), "[access.marks]").items()
    }
    digest = hashlib.sha256(json.dumps(section, sort_keys=True, default=str).encode()).hexdigest()[:16]
    return AccessSettings(roles, marks, users, default, digest)


def _role(name: str, section: Any) -> Role:
    place = f"[access.roles.{name}]"
    _check(re.fullmatch(ROLE, name) is not None, "roles of lower-case letters, digits and _", name)
    known = ("services", "seen", "masked", "refused", "rows", "break_glass", "may_break_glass")
    options = _section(section, place, known)
    _check("services" in options, f'services in {place}, ["*"] for all', "none")
    lists = {
        option: _texts(options.get(option, []), f"{option} in {place} as a list of texts")
        for option in ("services", "seen", "refused", "may_break_glass")
    }
    masked = _section(options.get("masked", {}), f'masked in {place} as {{ sensitive = "null" }}')
    for text in masked.values():
        mask_of(text)
    minutes = options.get("break_glass", 0)
    is_number = isinstance(minutes, int) and not isinstance(minutes, bool)
    _check(is_number and 0 <= minutes <= 24 * 60, f"break_glass in {place} as minutes, at most a day", minutes)
    rows = tuple(
        _row_filter(place, key, values)
        for key, values in _section(options.get("rows", {}), f'rows in {place} as {{ user_id = "own" }}').items()
    )
    return Role(name, **lists, masked=masked, rows=rows, break_glass=minutes)


def _row_filter(place: str, key: str, values: Any) -> RowFilter:
    expected = f'"own", for a join key, or a list of values of {key} in rows of {place}'
    if values == OWN and ":" not in key:
        return key, None
    _check(isinstance(values, list) and all(isinstance(value, str | int) for value in values), expected, values)
    return key, tuple(_text_of(value) for value in values)


def _text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _section(value: Any, place: str, known: tuple[str, ...] | None = None) -> dict[str, Any]:
    _check(isinstance(value, dict), f"a section {place}", value)
    for name in value if known is not None else ():
        _check(name in (known or ()), f"the options {', '.join(known or ())} in {place}", name)
    return dict(value)


def _texts(value: Any, expected: str) -> tuple[str, ...]:
    _check(isinstance(value, list) and all(isinstance(item, str) and item for item in value), expected, value)
    return tuple(value)


def _check(is_valid: bool, expected: str, found: Any) -> None:
    if not is_valid:
        raise InputError(expected=expected, found=repr(found), next_command="correct [access] in refrain.toml")
