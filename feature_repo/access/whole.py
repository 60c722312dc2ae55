"""Commands that show whole people, or compute with the values of all of them, need a role that sees everything."""

from feature_repo.errors import AccessError
from feature_repo.home import Home


def check_whole(home: Home, what: str) -> dict[str, str]:
    """Checks that the role of this process sees everything, for what has to compute with real values of every person.

    Args:
        home: the data folder.
        what: what is done, for the message.

    Returns:
        The fields of an act that say under which role, and which break-glass, it is done.

    Raises:
        AccessError: it does not, or there is no role.
    """
    from feature_repo.access.compiled import load_access  # not where a command line begins
    from feature_repo.access.sight import REASON
    from feature_repo.access.viewer import local_viewer

    compiled = load_access(home)
    if compiled is None:
        return {}
    viewer = local_viewer(compiled.settings, home)
    (role,) = (compiled.settings.roles[name] for name in viewer.roles)
    if not role.is_whole:
        raise AccessError(expected=f"a role that sees everything, for {what}", found=role.name, next_command=REASON)
    grant = viewer.grants.get(role.name, "")
    return {"role": role.name} | ({"grant": grant} if grant else {})
