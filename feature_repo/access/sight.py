"""What one role sees of one feature service: columns as they are, masked ones, refused ones, and which rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from feature_repo.access.masks import Mask, mask_of
from feature_repo.access.settings import EVERYTHING, AccessSettings, Role
from feature_repo.access.viewer import Viewer
from feature_repo.errors import AccessError

if TYPE_CHECKING:
    from feature_repo.access.compiled import CompiledAccess
    from feature_repo.manifest import Service

Treatment = Mask | Literal["seen", "refused"]
REASON = "see docs/access.md; ask the owner of [access] in refrain.toml"


@dataclass(frozen=True)
class RowCondition:
    """One condition on rows.

    Attributes:
        name: a join key, or a feature as ``view__feature``.
        values: the values that are seen, as texts.
        keys: join keys of the rows that it concerns.
    """

    name: str
    values: frozenset[str]
    keys: frozenset[str]

    @property
    def is_of_key(self) -> bool:
        """Whether it is a condition on a join key."""
        return self.name in self.keys

    def concerns(self, join_keys: Iterable[str]) -> bool:
        """Whether rows with these join keys have to pass it."""
        return self.keys <= set(join_keys)


@dataclass(frozen=True)
class Sight:
    """What a caller sees of one feature service.

    Attributes:
        role: the role under which the caller asks; empty if they have none.
        refused: names of features that are not in the answer, as ``view__feature``.
        masks: feature → how its values are masked.
        conditions: conditions on rows.
        grant: id of the break-glass grant under which the caller asks; empty for none.
        key: the secret key of pseudonyms.
    """

    role: str
    refused: frozenset[str]
    masks: Mapping[str, Mask]
    conditions: tuple[RowCondition, ...]
    grant: str = ""
    key: bytes = field(default=b"", repr=False)

    @property
    def is_whole(self) -> bool:
        """Whether everything is seen."""
        return not (self.refused or self.masks or self.conditions)

    @property
    def act_fields(self) -> dict[str, str]:
        """Fields of an act that say under which role, and which break-glass, something was read."""
        return {name: value for name, value in (("role", self.role), ("grant", self.grant)) if value}

    @property
    def unseen(self) -> frozenset[str]:
        """Names of the features that are masked or refused."""
        return self.refused | self.masks.keys()

    @property
    def hidden(self) -> dict[str, str]:
        """Feature → ``refused``, or how it is masked; of those that are not seen as they are."""
        refused = dict.fromkeys(sorted(self.refused), "refused")
        return refused | {name: mask.text for name, mask in sorted(self.masks.items())}


def sight_of(compiled: "CompiledAccess", service: "Service", viewer: Viewer) -> Sight:
    """Returns what a caller sees of a service, under the first of their roles that has it.

    Callers without any role of ``[access]`` see what has no mark.

    Raises:
        AccessError: no role of the caller has the service.
    """
    settings = compiled.settings
    role = choose_role(settings, service.name, viewer)
    refused, masks = set[str](), dict[str, Mask]()
    for name, dtype in service.features:
        treatment = treatment_of(role, name, compiled.marks_of(name))
        if isinstance(treatment, Mask):
            masks[name] = treatment if treatment.fits(dtype) else mask_of("null")
        elif treatment == "refused":
            refused.add(name)
    conditions = [_condition(compiled, *row_filter, viewer) for row_filter in (role.rows if role else ())]
    concerned = tuple(one for one in conditions if any(one.concerns(view.join_keys) for view in service.views))
    grant = viewer.grants.get(role.name, "") if role else ""
    return Sight(role.name if role else "", frozenset(refused), masks, concerned, grant, compiled.key)


def choose_role(settings: AccessSettings, service: str, viewer: Viewer) -> Role | None:
    """Returns the role under which a caller asks for a service: the named one, or the first; None if they have none.

    Raises:
        AccessError: no role of the caller has the service.
    """
    held = [role for role in settings.roles.values() if role.name in viewer.roles]
    if viewer.act_as:
        held = [role for role in held if role.name == viewer.act_as]
        if not held:
            raise AccessError(
                expected="a role that the caller has", found=repr(viewer.act_as[:64]), next_command=REASON
            )
    if not held:
        return None
    role = next((role for role in held if role.has_service(service)), None)
    if role is None:
        raise AccessError(
            expected=f"a role that has the feature service {service[:64]}",
            found=", ".join(role.name for role in held),
            next_command=REASON,
        )
    return role


def treatment_of(role: Role | None, feature: str, marks: Sequence[str]) -> Treatment:
    """Returns how a role gets a feature: the line of the feature decides, then that of its view, then its marks.

    Of several marks the strictest treatment counts, and of two masks ``null``.

    Args:
        role: the role; None of callers without any.
        feature: the feature as ``view__feature``.
        marks: its marks.

    >>> analyst = Role("analyst", ("*",), seen=("personal",), masked={"sensitive": "null"})
    >>> treatment_of(analyst, "user_profile__plays", ["personal"]), treatment_of(None, "track__title", [])
    ('seen', 'seen')
    >>> treatment_of(analyst, "user_profile__gender", ["personal", "sensitive"]).text
    'null'
    >>> treatment_of(analyst, "user_profile__salary", ["internal"])
    'refused'
    """
    if role is None:
        return "refused" if marks else "seen"
    view, _, name = feature.rpartition("__")
    for line in (f"{view}:{name}", view):
        treatment = _line(role, line)
        if treatment is not None:
            return treatment
    treatments = [_line(role, mark) or _line(role, EVERYTHING) or "refused" for mark in marks]
    if "refused" in treatments:
        return "refused"
    masks = {treatment for treatment in treatments if isinstance(treatment, Mask)}
    if not masks:
        return "seen"
    return masks.pop() if len(masks) == 1 else mask_of("null")


def _line(role: Role, name: str) -> Treatment | None:
    """How a line of the role treats a mark, view or feature; the strictest of several."""
    if name in role.refused:
        return "refused"
    if name in role.masked:
        return mask_of(role.masked[name])
    return "seen" if name in role.seen else None


def _condition(compiled: "CompiledAccess", name: str, values: tuple[str, ...] | None, viewer: Viewer) -> RowCondition:
    if ":" not in name:
        own = frozenset({viewer.own_id} if viewer.own_id else ())
        return RowCondition(name, own if values is None else frozenset(values), frozenset({name}))
    view, _, feature = name.partition(":")
    return RowCondition(f"{view}__{feature}", frozenset(values or ()), frozenset(compiled.views[view].join_keys))
