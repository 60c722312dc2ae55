"""Writes what callers do to the audit log."""

import ipaddress

from starlette.requests import Request
from starlette.types import Scope

from feature_repo.audit_lines import Detail


def request_fields(scope: Scope, request_id: str) -> dict[str, str]:
    """Return the fields of an act that say which request it was; an address that is none is left out."""
    address = scope["client"][0] if scope.get("client") else ""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        address = ""
    return {"request_id": request_id, "method": scope["method"], "path": scope["path"], "address": address}


def audit_act(request: Request, act: str, **fields: Detail) -> None:
    """Write an act of the caller of a request to the audit log; without the layer of access there is no caller.

    Raises:
        StoreError: the audit log is required and cannot be written.
    """
    state = request.scope.get("state", {})
    if "caller" not in state:
        return
    audit = request.app.state.access.audit
    audit.put(act, **request_fields(request.scope, state["request_id"]), key=state["caller"].id, **fields)
