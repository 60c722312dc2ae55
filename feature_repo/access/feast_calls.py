"""Feast's own API on the offline store: calls of others than Refrain get what their role sees as it is, or nothing.

Feast hands real values to functions, and has no place for masks between the two. ``training_set`` has, so that a call
for features of which the role sees less is refused with it as the next step.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from feature_repo.access.compiled import load_access
from feature_repo.access.sight import treatment_of
from feature_repo.access.viewer import local_viewer
from feature_repo.errors import AccessError
from feature_repo.home import Home

_is_own: ContextVar[bool] = ContextVar("refrain_own_pull", default=False)


@contextmanager
def own_pull() -> Iterator[None]:
    """Marks the calls inside as Refrain's own, whose caller applies what the role sees."""
    token = _is_own.set(True)
    try:
        yield
    finally:
        _is_own.reset(token)


def check_call(references: Sequence[str]) -> None:
    """Checks a call of Feast's API.

    Args:
        references: the features, as ``view:feature``.

    Raises:
        AccessError: the role of this process does not see all of them and all rows as they are, or there is no role.

    >>> with own_pull():
    ...     check_call(["user_profile:country"])
    """
    if _is_own.get():
        return
    home = Home.from_env()
    compiled = load_access(home)
    if compiled is None:
        return
    viewer = local_viewer(compiled.settings, home)
    (role,) = (compiled.settings.roles[name] for name in viewer.roles)
    names = [reference.replace(":", "__", 1) for reference in references]
    unseen = [name for name in names if treatment_of(role, name, compiled.marks_of(name)) != "seen"]
    if unseen or role.rows:
        raise AccessError(
            expected=f"features and rows that the role {role.name} sees as they are, for Feast's own API",
            found=f"{unseen[0]}, which it does not" if unseen else "conditions on rows",
            next_command="from training.datasets import training_set; training_set(SERVICE, spine)",
        )
