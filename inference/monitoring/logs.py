"""The log of a server on standard error: warnings and errors, and each request, as JSON lines or as text.

Python's ``logging`` writes it. A request is one record of the logger ``refrain.access`` with the time, the request id,
the caller's key id, the route, what the request cost, its outcome and its duration; neither bodies, keys nor the
query are in it. While no log was asked for, a request costs one comparison.
"""

import copy
import logging
import time
from typing import Any

import msgspec
from starlette.types import Scope

from feature_repo.output.plain import one_line, shorten, visible

ACCESS = "refrain.access"
_log = logging.getLogger(ACCESS)
LONGEST = 8_000
"""Characters of a message."""
_OUTCOMES = {401: "refused", 403: "refused", 429: "limited"}


def settings(form: str) -> dict[str, Any]:
    """Return settings for ``logging.config``, which uvicorn applies in each of its processes.

    Args:
        form: ``json`` or ``text`` for all of the log; empty for warnings and errors as uvicorn writes them.

    >>> settings("json")["loggers"]["refrain.access"]
    {'level': 'INFO'}
    """
    if not form:
        from uvicorn.config import LOGGING_CONFIG

        config = copy.deepcopy(LOGGING_CONFIG)
        config["formatters"]["lines"] = {"()": f"{__name__}.PlainLines"}
        config["handlers"]["warnings"] = {"class": "logging.StreamHandler", "formatter": "lines"}
        return config | {"root": {"handlers": ["warnings"], "level": "WARNING"}}
    formatter = {"json": JsonLines, "text": TextLines}[form]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": f"{__name__}.{formatter.__name__}"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"},
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {ACCESS: {"level": "INFO"}},
    }


def log_request(scope: Scope, request_id: str, route: str, status: int, seconds: float) -> None:
    """Log one answered request, if requests are logged.

    Args:
        scope: the request; its state has the caller, the cost in requests, and the cause of a failure, where known.
        request_id: id of the request.
        route: template of the route, such as ``/v1/features/{service}``; never the path that was sent.
        status: status of the answer.
        seconds: time from the first byte of the request to the last of the answer.
    """
    if not _log.isEnabledFor(logging.INFO):
        return
    state = scope.get("state", {})
    caller = state.get("caller")
    cause = state.get("cause")
    outcome = _OUTCOMES.get(status) or ("failed" if status >= 500 else "invalid" if status >= 400 else "answered")
    fields = {
        "request_id": request_id,
        "key_id": caller.id if caller is not None else None,
        "address": scope["client"][0] if scope.get("client") else None,
        "method": scope["method"],
        "route": route,
        "status": status,
        "outcome": f"{outcome}: {cause}" if cause else outcome,
        "cost": state.get("cost", 1),
        "duration_ms": round(seconds * 1e3, 3),
    }
    _log.info("request", extra={"fields": fields})


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: ``time``, ``level``, ``logger``, ``message``, and the record's own fields.

    >>> record = logging.makeLogRecord({"levelname": "INFO", "name": "x", "msg": "a\\nb", "created": 0.0})
    >>> JsonLines().format(record)
    '{"time":"1970-01-01T00:00:00.000Z","level":"info","logger":"x","message":"a\\\\nb"}'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Format one record; line breaks are escaped, so that it stays one line."""
        line: dict[str, Any] = {
            "time": _utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": shorten(record.getMessage(), LONGEST),
            **{
                name: shorten(each, LONGEST) if isinstance(each, str) else each
                for name, each in getattr(record, "fields", {}).items()
            },
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return visible(msgspec.json.encode(line, enc_hook=str).decode())


class TextLines(logging.Formatter):
    """Formats a record as a line of text: time, level, logger, message, and the record's own fields.

    >>> record = {"levelname": "INFO", "name": "x", "msg": "a", "created": 0.0, "fields": {"b": 1}}
    >>> TextLines().format(logging.makeLogRecord(record))
    '1970-01-01T00:00:00.000Z info x: a b=1'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Format one record; only a traceback has lines of its own."""
        message = one_line(record.getMessage(), LONGEST)
        fields = "".join(f" {name}={one_line(str(each))}" for name, each in getattr(record, "fields", {}).items())
        line = f"{_utc(record.created)} {record.levelname.lower()} {record.name}: {message}{fields}"
        return f"{line}\n{visible(self.formatException(record.exc_info))}" if record.exc_info else line


class PlainLines(logging.Formatter):
    """Formats a record as its message alone, on one line; only a traceback has lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        line = one_line(record.getMessage(), LONGEST)
        return f"{line}\n{visible(self.formatException(record.exc_info))}" if record.exc_info else line


def _utc(seconds: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds * 1e3) % 1_000:03}Z"
