"""What the caller of a request may ask for, by the section ``[access]`` of the project.

Answers that are made of marked features need a role that has their service, and are given about rows that it sees.
Without ``[access]`` everything is permitted, and nothing is looked up.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from starlette.requests import Request

from feature_repo.access.compiled import load_access
from feature_repo.access.sight import REASON, Sight, choose_role, treatment_of
from feature_repo.access.viewer import Viewer
from feature_repo.audit_lines import whose
from feature_repo.errors import AccessError
from feature_repo.home import Home
from feature_repo.project import Project
from inference.api.acts import audit_act
from inference.features import OnlineFeatures

ROLE_HEADER = "x-refrain-role"
"""Header with the role under which a caller with several asks."""


class Permission:
    """Who may ask for what, in one application.

    Args:
        home: the data folder.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self.has_rules = Project.load(home.project_folder).access is not None or load_access(home) is not None

    def viewer(self, request: Request) -> Viewer | None:
        """Return who asks; None if the project has no ``[access]``, so that everything is seen."""
        if not self.has_rules:
            return None
        caller = request.scope.get("state", {}).get("caller")
        act_as = request.headers.get(ROLE_HEADER, "")
        if caller is None:
            return Viewer("nobody", act_as=act_as)
        return Viewer(caller.id, caller.roles, caller.own_id, act_as)

    def check(
        self,
        request: Request,
        lookup: OnlineFeatures,
        keys: Mapping[str, Sequence[Any]],
        *,
        needs: Collection[str] | None = (),
    ) -> Sight | None:
        """Check that the caller may have an answer that is made of a feature service.

        Args:
            request: the HTTP request.
            lookup: the lookup of the service.
            keys: the rows that the answer is about.
            needs: features that the answer repeats, so that the caller has to see them as they are; None for all.

        Returns:
            What the caller sees; None if everything.

        Raises:
            AccessError: no role of the caller has the service, sees the rows, or sees the features.
            InputError: a join key is missing or does not fit its type.
            OnlineUnavailable: the online store does not answer.
        """
        viewer = self.viewer(request)
        if viewer is None:
            return None
        service = lookup.service
        try:
            sight = lookup.sight(viewer)
            if sight is None:
                return None
            if not sight.role and lookup.is_marked:
                raise _refused(f"a role that has the feature service {service.name}", "none")
            names = [name for name, _ in service.features] if needs is None else needs
            unseen = sorted(sight.unseen.intersection(names))
            if unseen:
                raise _refused("a role that sees all features of this answer", f"{sight.role}, which does not")
            if np.any(lookup.withheld(keys, viewer)):
                raise _refused(f"rows that the role {sight.role} sees", "others among them")
        except AccessError as error:
            audit_act(request, "not permitted", service=service.name, reason=error.found, **whose(keys))
            raise
        return sight

    def unseen(self, request: Request, service: str, features: Collection[str]) -> frozenset[str]:
        """Return which of some features, of any service, the role of the caller does not see as they are.

        Args:
            request: the HTTP request.
            service: the service by which the role is chosen.
            features: names as ``view__feature``.
        """
        viewer, compiled = self.viewer(request), load_access(self._home) if self.has_rules else None
        if viewer is None or compiled is None:
            return frozenset()
        role = choose_role(compiled.settings, service, viewer)
        treatments = {name: treatment_of(role, name, compiled.marks_of(name)) for name in features}
        return frozenset(name for name, treatment in treatments.items() if treatment != "seen")

    def check_everything(self, request: Request, what: str) -> None:
        """Check that the caller has a role that sees every column and row, for answers with values of any of them.

        Raises:
            AccessError: they have none.
        """
        viewer, compiled = self.viewer(request), load_access(self._home) if self.has_rules else None
        if viewer is None or compiled is None:
            return
        roles = [role for role in compiled.settings.roles.values() if role.name in viewer.roles]
        if not any(role.is_whole for role in roles):
            audit_act(request, "not permitted", reason=what)
            raise _refused(f"a role that sees everything, for {what}", ", ".join(role.name for role in roles) or "none")


def role_field(sight: Sight | None) -> dict[str, str]:
    """Return the fields of an act that say under which role something was read."""
    if sight is None or not sight.role:
        return {}
    return {"role": sight.role} | ({"grant": sight.grant} if sight.grant else {})


def _refused(expected: str, found: str) -> AccessError:
    return AccessError(expected=expected, found=found, next_command=REASON)
