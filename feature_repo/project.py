"""A project: a folder with definitions, models and data of its own, described by its file ``refrain.toml``.

::

    name = "shop"                     # part of every online key
    definitions = ["shop_features"]   # packages or modules in this folder, or installed ones
    models = ["shop_models"]          # likewise; may be the same
    extends = []                      # bundled definitions that come along: "music", or none
    data = "data"                     # the data folder; REFRAIN_HOME overrides it
    profile = ""                      # the engines; REFRAIN_PROFILE overrides it
    data_license = ""                 # licence of its data (SPDX or an address), for what describes training sets

    [imports.orders]                  # how a table of one's own becomes the events "orders"; each line is optional
    time = "ordered_at"               # column with the times
    time_format = "ms"                # its unit, or its format as of strptime
    map = { customer_id = "customer" }  # column of the events = column of the table

    [retention]                       # how long rows are kept, where it is not as declared; "forever" for no end
    orders = "730d"
    lookups = "30d"

    [tenants.acme.retention]          # the same of one tenant
    orders = "90d"

    [purposes]                        # which uses of personal data need consent; see feature_repo.purposes
    personalisation = "opt-in"

    [owners]                          # who answers for a model, raw table, view or service
    "*" = "data@shop.example"         # for everything else

    [signing]                         # whose signatures of bundles and manifests count; feature_repo.signing.trust
    trusted = ["ed25519:…"]
    revoked = []

    [encryption]                      # files of the data folder are encrypted; docs/encryption.md
    key = "file:/etc/refrain/encryption.key"

    [plausibility.plays]              # events that no account causes are refused; see feature_repo.plausibility
    at_once = 4

    [access.roles.analyst]            # who sees which columns and rows; see feature_repo.access.settings
    services = ["orders_v1"]

    [fairness.churn_model]            # limits and groups of a model; docs/fairness.md
    demographic_parity_difference = 0.1

    [model_theft]                     # budgets of questions and what an alarm does; see feature_repo.model_theft
    questions_per_day = 20_000

``REFRAIN_PROJECT`` names the folder, or the file. Without it, the file is searched from the working directory upwards.
Without a file, the bundled definitions of music are the project.
"""

import os
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from feature_repo.access.settings import AccessSettings, read_settings
from feature_repo.errors import InputError, ProjectError
from feature_repo.model_theft import TheftSettings
from feature_repo.plausibility import AccountLimits
from feature_repo.purposes import RULES

FILE = "refrain.toml"
PROJECT = "REFRAIN_PROJECT"
"""Environment variable with the folder of the project, or its file."""

BUNDLED = ("music",)
"""Names of the bundled definitions."""

NAME = r"[a-z][a-z0-9_]{0,31}"
"""Pattern of names of projects and tenants."""

PERIOD = r"[1-9]\d{0,4}[dh]|forever"
"""Pattern of how long rows are kept."""


@dataclass(frozen=True)
class TableImport:
    """How a table of one's own becomes events of one kind.

    Attributes:
        time: column of the table with the times of the events; empty if it is not declared.
        time_format: unit (``s``, ``ms``, ``us``, ``ns``) or format of these times, as of ``strptime``; empty if it is
            to be recognized.
        map: column of the events → column of the table; an empty one leaves the column of the events out.
    """

    time: str = ""
    time_format: str = ""
    map: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Project:
    """A project.

    Attributes:
        name: name of the project.
        definitions: packages or modules with definitions.
        models: packages or modules with models.
        extends: names of the bundled definitions that belong to the project.
        data: the data folder, absolute or relative to the project's folder.
        profile: name of the profile of engines; empty for the embedded default.
        data_license: licence of the project's data, as an SPDX identifier or an address; empty if none is declared.
        imports: kind of events → how tables of one's own are imported as these events.
        retention: raw table, or kind of record → how long its rows are kept.
        tenants: tenant → raw table, or kind of record → how long the rows of this tenant are kept.
        purposes: purpose → whether it needs consent, one of ``feature_repo.purposes.RULES``.
        owners: name of a model, raw table, view or service → who answers for it; ``*`` stands for all others.
        fairness: model → what is declared of its fairness, as ``training.fairness.settings`` reads it.
        model_theft: what is declared against the theft of models.
        signing: ``trusted`` and ``revoked``, lists of public keys.
        encryption: where the key-encryption key is; ``feature_repo.encryption.settings`` reads it.
        plausibility: kind of events → what one account can plausibly do; of other kinds nothing is refused.
        access: who sees which columns and rows; None if everybody sees all.
        folder: the project's folder; None for the bundled project.
    """

    name: str = "refrain"
    definitions: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    extends: tuple[str, ...] = BUNDLED
    data: str = "data"
    profile: str = ""
    data_license: str = ""
    imports: Mapping[str, TableImport] = field(default_factory=dict, hash=False)
    retention: Mapping[str, str] = field(default_factory=dict, hash=False)
    tenants: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    purposes: Mapping[str, str] = field(default_factory=dict, hash=False)
    owners: Mapping[str, str] = field(default_factory=dict, hash=False)
    fairness: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    model_theft: TheftSettings = field(default_factory=TheftSettings, hash=False)
    signing: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    encryption: Mapping[str, str] = field(default_factory=dict, hash=False)
    plausibility: Mapping[str, AccountLimits] = field(default_factory=dict, hash=False)
    access: AccessSettings | None = None
    folder: Path | None = None

    @classmethod
    def load(cls, folder: Path | None) -> "Project":
        """Reads the project of a folder; the bundled one if the folder is None.

        Modules of the folder can be imported afterwards.

        Raises:
            ProjectError: the folder has no valid ``refrain.toml``.
        """
        if folder is None:
            return cls()
        file = folder.absolute() / FILE
        try:
            project = _load(file, file.stat().st_mtime_ns)
        except OSError as error:
            raise ProjectError(
                expected=f"a project: a folder with the file {FILE}",
                found=f"{file}: {error.strerror}",
                next_command=f"refrain init NAME  (or: unset {PROJECT})",
            ) from error
        except InputError as error:
            raise ProjectError(expected=error.expected, found=error.found, next_command=error.next_command) from error
        if str(file.parent) not in sys.path:
            sys.path.append(str(file.parent))  # at the end, so that a project's modules replace nothing
        return project

    @property
    def file(self) -> Path | None:
        """The project's file; None for the bundled project."""
        return None if self.folder is None else self.folder / FILE

    def owner_of(self, name: str) -> str:
        """Returns who answers for a model, raw table, view or service; empty if nobody is declared.

        >>> shop = Project("shop", owners={"*": "data@shop.example", "orders_returned": "Ann"})
        >>> shop.owner_of("orders_returned"), shop.owner_of("orders"), Project().owner_of("plays")
        ('Ann', 'data@shop.example', '')
        """
        return self.owners.get(name, self.owners.get("*", ""))

    @property
    def has_music(self) -> bool:
        """Whether the bundled definitions of music belong to the project."""
        return "music" in self.extends

    @property
    def data_folder(self) -> Path | None:
        """The project's data folder; None for the bundled project."""
        return None if self.folder is None else self.folder / Path(self.data).expanduser()


def find_folder() -> Path | None:
    """Returns the folder of the project of this process: ``REFRAIN_PROJECT``, else the nearest with the file."""
    text = os.environ.get(PROJECT)
    if text:
        named = Path(text).expanduser().absolute()
        return named.parent if named.name == FILE else named
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / FILE).is_file()), None)


def settle_project() -> None:
    """Names the project of this process in ``REFRAIN_PROJECT``, for child processes and after a change of folder."""
    folder = find_folder()
    if folder is not None:
        os.environ[PROJECT] = str(folder)


@lru_cache(maxsize=64)
def _load(file: Path, changed: int) -> Project:
    try:
        entries = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _invalid(file, "TOML", str(error)) from error
    options = [option.name for option in fields(Project) if option.name != "folder"]
    unknown = sorted(set(entries) - set(options))
    if unknown:
        raise _invalid(file, f"the options {', '.join(options)}", repr(unknown[0]))
    if "name" not in entries:
        raise _invalid(file, "a name", "none")
    values: dict[str, Any] = {"extends": ()}
    sections: dict[str, Callable[[Path, Any], Any]] = {
        "imports": _imports,
        "retention": partial(_retention, section="retention"),
        "tenants": _tenants,
        "purposes": _purposes,
        "owners": _owners,
        "fairness": _fairness,
        "model_theft": lambda _, section: TheftSettings.parse(section),
        "signing": _signing,
        "encryption": _encryption,
        "plausibility": _plausibility,
        "access": _access,
    }
    for name, value in entries.items():
        if name in sections:
            values[name] = sections[name](file, value)
            continue
        is_list = name in ("definitions", "models", "extends")
        is_valid = all(isinstance(item, str) for item in value) if isinstance(value, list) else isinstance(value, str)
        if not is_valid or isinstance(value, list) != is_list:
            raise _invalid(file, f"{name} as {'a list of texts' if is_list else 'a text'}", repr(value))
        values[name] = tuple(value) if is_list else value
    if not re.fullmatch(NAME, values["name"]):
        raise _invalid(file, "a name of lower-case letters, digits and _, starting with a letter", values["name"])
    strangers = [name for name in values["extends"] if name not in BUNDLED]
    if strangers:
        raise _invalid(file, f"extends with names among {list(BUNDLED)}", repr(strangers[0]))
    project = Project(**values, folder=file.parent)
    if file.parent.is_relative_to(os.path.abspath(project.data_folder or "")):  # noqa: PTH100  # keeps symbolic links
        raise _invalid(file, "a data folder of its own, such as data", repr(project.data))
    return project


def _imports(file: Path, sections: Any) -> dict[str, TableImport]:
    """Checks the sections ``[imports.KIND]``."""
    if not isinstance(sections, dict) or not all(isinstance(section, dict) for section in sections.values()):
        raise _invalid(file, "imports as sections such as [imports.orders]", repr(sections))
    options = [option.name for option in fields(TableImport)]
    for kind, section in sections.items():
        for name, value in section.items():
            if name not in options:
                raise _invalid(file, f"the options {', '.join(options)} in [imports.{kind}]", repr(name))
            texts = value.values() if isinstance(value, dict) else [value]
            if isinstance(value, dict) != (name == "map") or not all(isinstance(text, str) for text in texts):
                form = 'columns such as { customer_id = "customer" }' if name == "map" else "a text"
                raise _invalid(file, f"{name} as {form} in [imports.{kind}]", repr(value))
    return {kind: TableImport(**section) for kind, section in sections.items()}


def _retention(file: Path, value: Any, *, section: str) -> dict[str, str]:
    """Checks a section of periods."""
    if not isinstance(value, dict):
        raise _invalid(file, f'[{section}] as a section of lines such as orders = "730d"', repr(value))
    for name, period in value.items():
        if not isinstance(period, str) or not re.fullmatch(PERIOD, period):
            place = f"{file.name}, line {line_of(file, section, name)}"
            raise _invalid(file, f'{name} as "730d", "36h" or "forever" in [{section}] ({place})', repr(period))
    return value


def _tenants(file: Path, sections: Any) -> dict[str, dict[str, str]]:
    """Checks the sections ``[tenants.TENANT.retention]``."""
    form = "tenants as sections such as [tenants.acme.retention]"
    if not isinstance(sections, dict):
        raise _invalid(file, form, repr(sections))
    for tenant, section in sections.items():
        if not re.fullmatch(NAME, tenant) or not isinstance(section, dict) or set(section) - {"retention"}:
            raise _invalid(file, form, f"{tenant}: {section!r}")
    return {
        tenant: _retention(file, section.get("retention", {}), section=f"tenants.{tenant}.retention")
        for tenant, section in sections.items()
    }


def line_of(file: Path, section: str, key: str) -> int:
    """Returns the number of the line of a TOML file on which a key of a section stands; that of the section, or 1.

    >>> line_of(Path("/nowhere/refrain.toml"), "retention", "plays")
    1
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return 1
    current, place = "", 1
    for number, line in enumerate(lines, 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            current = header[1].replace('"', "")
            place = number if current == section else place
        elif re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line) and current == section:
            return number
    return place


def _purposes(file: Path, section: Any) -> dict[str, str]:
    """Checks the section ``[purposes]``."""
    if not isinstance(section, dict):
        raise _invalid(file, 'purposes as a section [purposes] with lines such as analytics = "opt-out"', repr(section))
    for name, rule in section.items():
        if not re.fullmatch(NAME, name):
            raise _invalid(file, "purposes of lower-case letters, digits and _, starting with a letter", repr(name))
        if rule not in RULES:
            raise _invalid(file, f"{', '.join(RULES)} for the purpose {name}", repr(rule))
    return section


def _owners(file: Path, section: Any) -> dict[str, str]:
    """Checks the section ``[owners]``."""
    if not isinstance(section, dict) or not all(isinstance(who, str) and who.strip() for who in section.values()):
        raise _invalid(file, 'owners as a section of lines such as orders = "data@shop.example"', repr(section))
    return {name: who.strip() for name, who in section.items()}


def _fairness(file: Path, sections: Any) -> dict[str, dict[str, Any]]:
    """Checks that the sections ``[fairness.MODEL]`` are sections; training reads what is in them."""
    if not isinstance(sections, dict) or not all(isinstance(section, dict) for section in sections.values()):
        raise _invalid(file, "fairness as sections such as [fairness.churn_model]", repr(sections))
    return sections


def _signing(file: Path, section: Any) -> dict[str, tuple[str, ...]]:
    """Checks the section ``[signing]``."""
    if not isinstance(section, dict) or set(section) - {"trusted", "revoked"}:
        raise _invalid(file, "signing as a section [signing] with the lists trusted and revoked", repr(section))
    for name, keys in section.items():
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise _invalid(file, f'{name} as a list of public keys such as ["ed25519:…"] in [signing]', repr(keys))
    return {name: tuple(keys) for name, keys in section.items()}


def _encryption(file: Path, section: Any) -> dict[str, str]:
    """Checks that the section ``[encryption]`` is one of texts; ``feature_repo.encryption.settings`` reads it."""
    if not isinstance(section, dict) or not all(isinstance(value, str) for value in section.values()):
        raise _invalid(file, 'encryption as a section of lines such as key = "file:/etc/refrain/key"', repr(section))
    return section


def _plausibility(file: Path, sections: Any) -> dict[str, AccountLimits]:
    """Reads the sections ``[plausibility.KIND]``."""
    if not isinstance(sections, dict):
        raise _invalid(file, "plausibility as sections such as [plausibility.plays]", repr(sections))
    try:
        return {kind: AccountLimits.read(kind, section) for kind, section in sections.items()}
    except InputError as error:
        raise _invalid(file, error.expected, error.found) from error


def _access(file: Path, section: Any) -> AccessSettings:
    """Reads the section ``[access]``."""
    try:
        return read_settings(section)
    except InputError as error:
        raise _invalid(file, error.expected, error.found) from error


def _invalid(file: Path, expected: str, found: str) -> InputError:
    return InputError(expected=f"{expected} in {file}", found=found, next_command=f"correct {file}")
