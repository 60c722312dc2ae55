"""Texts about errors for callers of the API: nothing of this machine, and no command besides those of ``refrain``.

Every text that a response takes from an error comes from here. Paths, sockets, addresses and commands are for the
operator: they are in the log.
"""

import re

from feature_repo.errors import RefrainError

SEE_LOG = "the log of the service has the details"
_PATH = re.compile(
    r"(?:\bunix(?:_socket_path=|://)|\bfile://|(?<![\w/…<])~?/(?=[\w.])(?!v1/|console/))[^'\"\s]*/[^'\"\n:;,)]*"
)
"""An absolute path of two parts or more, with blanks in it, up to what cannot belong to it."""
_SOCKET_OR_FILE = re.compile(r"[^\s'\"]*\.(?:sock|aof|jsonl|parquet|onnx|npz|db|rdb|log)\b")
_ADDRESS = re.compile(
    r"\b(?:\d{1,3}(?:\.\d{1,3}){3}|[\w-]+(?:\.[\w-]+)+|localhost):\d{2,5}\b|\[[0-9a-fA-F:]+\]:\d{2,5}"
)
_REFRAIN = r"refrain(?: [\w=:-]+)+"
_NEXT = re.compile(
    rf"{_REFRAIN}(?: && {_REFRAIN})*(?:  \(.*\))?|(?:python -m )?pip install [\w\[\],'-]+|GET /v1/\w+|see [\w /:]+"
)
"""Next steps that a caller may read: commands of ``refrain``, an installation of it, a route, a page."""


def describe(error: BaseException) -> str:
    """Return what was expected and found; of an error that is not ours only its kind.

    >>> describe(RefrainError(expected="a bundle", found="no file /srv/data/models/a.onnx", next_command="rm -r /srv"))
    'expected a bundle; found no file …'
    >>> describe(ValueError("/srv/data/x: bad"))
    'ValueError; the log of the service has the details'
    """
    if isinstance(error, RefrainError):
        return hide_internals(f"expected {error.expected}; found {error.found}")
    return f"{type(error).__name__}; {SEE_LOG}"


def next_step(error: RefrainError) -> str:
    """Return the next command if a caller may read it; else where the operator finds it.

    >>> next_step(RefrainError(expected="", found="", next_command="refrain apply && refrain materialize"))
    'refrain apply && refrain materialize'
    >>> next_step(RefrainError(expected="", found="", next_command="rm -r '/srv/x' && refrain model promote m 1"))
    'the log of the service has the details'
    """
    is_public = _NEXT.fullmatch(error.next_command) and hide_internals(error.next_command) == error.next_command
    return error.next_command if is_public else SEE_LOG


def hide_internals(text: str) -> str:
    """Remove paths, sockets and addresses from a text.

    >>> hide_internals("Error 2 connecting to unix socket: /srv/my data/redis/redis.sock. No such file or directory.")
    'Error 2 connecting to unix socket: …'
    >>> hide_internals("GET /v1/models, /docs and a/b are no files; redis at 10.0.0.7:6379 is")
    'GET /v1/models, /docs and a/b are no files; redis at … is'
    """
    return _ADDRESS.sub("…", _SOCKET_OR_FILE.sub("…", _PATH.sub("…", text)))
