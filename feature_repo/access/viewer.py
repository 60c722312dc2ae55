"""Who is asking: a caller of the server, or the user of a command or a notebook.

Offline the role is ``REFRAIN_ROLE``, else that of the user of the operating system, else the default of ``[access]``.
A user who can read the files of the data folder can do so without this, and set the variable. What holds there are
permissions of files and encryption of tables. Offline roles are for honest work, and its record.
"""

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from feature_repo.access.settings import AccessSettings
from feature_repo.errors import AccessError
from feature_repo.home import Home

VARIABLE = "REFRAIN_ROLE"
"""Environment variable with the role of commands and notebooks."""


@dataclass(frozen=True)
class Viewer:
    """A caller who asks for features.

    Attributes:
        id: who it is, for the audit log.
        roles: names of their roles, of ``[access]`` and others.
        own_id: the id of their own rows, for the filter ``own``; empty for none.
        act_as: the role that they ask under; the first of theirs that has the service if empty.
        grants: role held by break-glass → id of the grant.
    """

    id: str
    roles: frozenset[str] = frozenset()
    own_id: str = ""
    act_as: str = ""
    grants: Mapping[str, str] = field(default_factory=dict, hash=False)


def user_name() -> str:
    """Returns the name of the user of the operating system; their number if they have no name.

    >>> bool(user_name())
    True
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def own_role(settings: AccessSettings) -> str:
    """Returns the role of this process without break-glass; empty for none."""
    return os.environ.get(VARIABLE) or settings.users.get(user_name(), settings.default)


def local_viewer(settings: AccessSettings, home: Home) -> Viewer:
    """Returns the user of this process, with one role: that of a break-glass while it lasts, else their own.

    Args:
        settings: the section ``[access]``.
        home: the data folder, which has the break-glasses.

    Raises:
        AccessError: they have no role, or ``REFRAIN_ROLE`` names one that is not there.
    """
    from feature_repo.access.break_glass import BreakGlass  # a server reads the grants itself

    user = user_name()
    grants = {role: id_ for role, id_ in BreakGlass(home).active(f"os:{user}").items() if role in settings.roles}
    role = next(iter(grants), "") or own_role(settings)
    if role not in settings.roles:
        raise AccessError(
            expected=f"a role of [access] in refrain.toml, one of {sorted(settings.roles)}",
            found=f"{VARIABLE}={role[:64]!r}" if role else f"no role of the user {user}, and no default",
            next_command=f"export {VARIABLE}={next(iter(settings.roles), 'ROLE')}",
        )
    return Viewer(f"os:{user}", frozenset({role}), own_id=user, grants=grants)
