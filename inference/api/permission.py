"""What the caller of a request may ask for, by the section ``[access]`` of the project.

Answers that are made of marked features need a role that has their service, and are given about rows that it sees.
Without ``[access]`` everything is permitted, and nothing is looked up.
"""

import logging
import re
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import numpy as np
from starlette.requests import Request

from feature_repo.access.break_glass import BreakGlass, Grant
from feature_repo.access.compiled import load_access
from feature_repo.access.grant_acts import fields_of, write_ends
from feature_repo.access.sight import REASON, Sight, choose_role, treatment_of
from feature_repo.access.viewer import Viewer
from feature_repo.audit_lines import whose
from feature_repo.errors import AccessError, InputError, ProjectError, RefrainError, StoreError
from feature_repo.home import Home
from feature_repo.project import Project
from inference.api.acts import audit_act
from inference.features import OnlineFeatures
from inference.security.caller import Caller
from inference.ticker import Ticker

ROLE_HEADER = "x-refrain-role"
"""Header with the role under which a caller with several asks."""
GLASS_HEADER = "x-refrain-break-glass"
"""Header that starts a break-glass: ``ROLE; minutes=15; reason=…``, the reason with % encoding where it needs it."""
READ_SECONDS, TELL_SECONDS = 1.0, 5.0
"""Seconds between two reads of the break-glasses, and between two looks for those that are over."""
_log = logging.getLogger("refrain.security")


class Permission:
    """Who may ask for what, in one application.

    Args:
        home: the data folder.
    """

    def __init__(self, home: Home) -> None:
        self._home, self._had_rules = home, False
        self._grants, self._known, self._read_at = BreakGlass(home), list[Grant](), -READ_SECONDS
        self._lock, self._ticker = threading.Lock(), Ticker("break-glass", TELL_SECONDS, self._tell_ends)

    @property
    def has_rules(self) -> bool:
        """Whether the project has ``[access]``, also since a moment ago.

        Raises:
            StoreError: the section was changed and not applied, or cannot be read: nothing is shown by rules that do
                not hold any more.
        """
        try:
            self._had_rules = load_access(self._home) is not None
        except ProjectError as error:  # refrain.toml is being written; a project without rules goes on without
            if self._had_rules:
                raise StoreError(expected=error.expected, found=error.found, next_command=error.next_command) from error
        return self._had_rules

    def viewer(self, request: Request) -> Viewer | None:
        """Return who asks; None if the project has no ``[access]``, so that everything is seen.

        Raises:
            AccessError: the caller asks for a break-glass that they may not have.
            InputError: the header of a break-glass is not valid, or its reason says nothing.
            StoreError: the audit log is required and cannot be written.
        """
        if not self.has_rules:
            return None
        state = request.scope.setdefault("state", {})
        if "viewer" not in state:
            state["viewer"] = self._viewer(request, state.get("caller"))
        viewer: Viewer = state["viewer"]
        return viewer

    def _viewer(self, request: Request, caller: Caller | None) -> Viewer:
        act_as = request.headers.get(ROLE_HEADER, "")
        if caller is None:
            return Viewer("nobody", act_as=act_as)
        if GLASS_HEADER in request.headers:
            act_as = self._break_glass(request, caller)
        grants = self._active(caller.id)
        if act_as and act_as not in caller.roles | grants.keys():  # another process may have granted it a moment ago
            self._read_at = -READ_SECONDS
            grants = self._active(caller.id)
        return Viewer(caller.id, caller.roles.union(grants), caller.own_id, act_as, grants)

    def _break_glass(self, request: Request, caller: Caller) -> str:
        """Start the break-glass that a header asks for, unless one lasts; return its role."""
        settings = Project.load(self._home.project_folder).access
        role, minutes, reason = read_glass_header(request.headers[GLASS_HEADER])
        with self._lock:
            if settings is None or role in self._grants.active(caller.id):
                return role
            try:
                grant = self._grants.start(settings, caller.id, caller.roles, role, reason, minutes)
            except RefrainError as error:
                audit_act(request, "not permitted", role=role[:64], reason=f"break-glass: {error.found}")
                raise
            try:
                audit_act(request, "break-glass started", **fields_of(grant))
            except StoreError:
                self._grants.end(grant.id)  # what cannot be written down is not granted
                raise
            self._read_at = -READ_SECONDS
        return role

    def _active(self, caller: str) -> dict[str, str]:
        """Return the roles that a caller holds by break-glass; files are read once a second."""
        if time.monotonic() - self._read_at >= READ_SECONDS:
            self._read_at = time.monotonic()
            try:
                self._known = self._grants.all()
            except InputError as error:  # nothing is granted; who holds no break-glass goes on
                self._known = []
                _log.warning("%s", error)
        return {
            grant.role: grant.id for grant in self._known if grant.caller == caller and self._grants.is_active(grant)
        }

    def start(self) -> None:
        """Start the thread that writes down the end of each break-glass."""
        self._ticker.start()

    def close(self) -> None:
        """End the thread."""
        self._ticker.close()

    def _tell_ends(self) -> None:
        write_ends(self._home, self._grants)

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

    def check_everything(self, request: Request, what: str) -> dict[str, str]:
        """Check that the caller has a role that sees every column and row, for answers with values of any of them.

        Returns:
            The fields of an act that say under which role it is read.

        Raises:
            AccessError: they have none.
        """
        viewer, compiled = self.viewer(request), load_access(self._home) if self.has_rules else None
        if viewer is None or compiled is None:
            return {}
        roles = [role for role in compiled.settings.roles.values() if role.name in viewer.roles]
        whole = next((role.name for role in roles if role.is_whole), None)
        if whole is None:
            audit_act(request, "not permitted", reason=what)
            raise _refused(f"a role that sees everything, for {what}", ", ".join(role.name for role in roles) or "none")
        grant = viewer.grants.get(whole, "")
        return {"role": whole} | ({"grant": grant} if grant else {})


def read_glass_header(text: str) -> tuple[str, int, str]:
    """Return role, minutes and reason.

    Raises:
        InputError: the header has another form.

    >>> read_glass_header("analyst; minutes=15; reason=ticket%204711")
    ('analyst', 15, 'ticket 4711')
    """
    match = re.fullmatch(r"([a-z][a-z0-9_]{0,31}); *minutes=(\d{1,4}); *reason=(.{1,2000})", text, re.ASCII)
    if match is None:
        raise InputError(
            expected=f"the header {GLASS_HEADER} as ROLE; minutes=15; reason=…",
            found=repr(text[:80]),
            next_command="see /docs",
        )
    return match[1], int(match[2]), unquote(match[3])


def role_field(sight: Sight | None) -> dict[str, str]:
    """Return the fields of an act that say under which role something was read."""
    if sight is None:
        return {}
    return sight.act_fields


def _refused(expected: str, found: str) -> AccessError:
    return AccessError(expected=expected, found=found, next_command=REASON)
