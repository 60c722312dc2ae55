"""What a break-glass leaves in the audit log: its beginning, its end and its review; reads under it name its id."""

from feature_repo.access.break_glass import BreakGlass, Grant, at
from feature_repo.audit_lines import Detail, write_act
from feature_repo.home import Home


def fields_of(grant: Grant) -> dict[str, Detail]:
    """Returns the fields of an act about a grant."""
    return {
        "grant": grant.id,
        "holder": grant.caller,
        "role": grant.role,
        "reason": grant.reason,
        "started": at(grant.started),
        "minutes": grant.minutes,
    }


def write_ends(home: Home, grants: BreakGlass) -> list[Grant]:
    """Writes down grants that are over, each once, whichever process looks first; returns them."""
    over = grants.newly_over()
    for grant in over:
        how = "ended by hand" if grant.ended is not None else "over by time"
        write_act(home, "break-glass ended", **fields_of(grant), how=how)
    return over
