"""The coordinator as a silo reaches it over HTTP: long polling, and patience with a network that fails."""

import http.client
import json
import random
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.private.secure_aggregation.access import HEADER, sign_request
from training.private.secure_aggregation.channel import SiloChannel
from training.private.secure_aggregation.envelope import Phase
from training.private.secure_aggregation.errors import NothingPublished, RoundAborted, RoundRefused
from training.private.secure_aggregation.roster import Roster
from training.private.secure_aggregation.server import is_loopback

WAIT_S = 15.0
"""Seconds that one request waits for something to read."""
ANSWER_S = 60.0
"""Seconds that an answer may take, besides those of waiting."""
MOST_BYTES = 1 << 30
"""Bytes of an answer, at most."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 3.0
_AGAIN = {408, 429, 500, 502, 503, 504}
"""Statuses of what may work when it is asked again."""


def connect(
    url: str,
    silo: str,
    identity: Ed25519PrivateKey,
    roster: Roster,
    home: Home,
    *,
    authorities: Path | None = None,
    timeout_s: float = 600.0,
    least_threshold: int | None = None,
) -> SiloChannel:
    """A silo's channel to a coordinator over HTTP or HTTPS.

    Args:
        url: address of the coordinator.
        silo: name of the silo in the roster.
        identity: its private key.
        roster: the parties, as this silo pinned them.
        home: its data folder.
        authorities: file with the certificates, in PEM, that the coordinator's has to be signed by; the system's if
            None.
        timeout_s: seconds that it waits for each message of the coordinator, and tries to send its own.
        least_threshold: the smallest threshold that this silo takes part with.

    Raises:
        InputError: the address is of another form, or plain HTTP to another machine; the certificates cannot be read.
        RoundRefused: the private key is not the silo's in the roster.
    """
    board = HttpBoard(url, silo, identity, roster, authorities=authorities, timeout_s=timeout_s)
    return SiloChannel(silo, identity, roster, home, board, timeout_s=timeout_s, least_threshold=least_threshold)


class HttpBoard:
    """A coordinator at an address. See ``connect`` for the arguments."""

    def __init__(
        self,
        url: str,
        silo: str,
        identity: Ed25519PrivateKey,
        roster: Roster,
        *,
        authorities: Path | None = None,
        timeout_s: float = 600.0,
    ) -> None:
        self._silo, self._identity, self._roster, self._timeout_s = silo, identity, roster, timeout_s
        self._open = _connector(url, authorities)
        self._url, self._prefix = url, urlsplit(url).path.rstrip("/")

    def message(self, round_name: str, phase: Phase, timeout_s: float) -> bytes:
        """See ``Board``."""
        content = self._poll(f"/rounds/{quote(round_name, safe='')}/{phase}", timeout_s)
        if content is None:
            raise RoundAborted.because(f"no message of the phase {phase} within {timeout_s:g} s")
        return content

    def send(self, round_name: str, content: bytes) -> None:
        """See ``Board``."""
        self._ask("POST", f"/rounds/{quote(round_name, safe='')}", "", content, time.monotonic() + self._timeout_s)

    def content(self, name: str, timeout_s: float) -> bytes:
        """See ``Board``."""
        content = self._poll(f"/published/{quote(name, safe='')}", timeout_s)
        if content is None:
            raise NothingPublished.within(name, timeout_s)
        return content

    def _poll(self, path: str, timeout_s: float) -> bytes | None:
        deadline = time.monotonic() + timeout_s
        while (rest := deadline - time.monotonic()) > 0:
            status, content = self._ask("GET", path, f"?wait={min(rest, WAIT_S):.3f}", None, deadline)
            if status == http.client.OK:
                return content
        return None

    def _ask(self, method: str, path: str, query: str, body: bytes | None, deadline: float) -> tuple[int, bytes]:
        """Sends a request until it is answered, with pauses that grow.

        Raises:
            RoundAborted: the coordinator is not reached in time, or says that the round is over.
            RoundRefused: it refuses.
        """
        pause, problem = _FIRST_PAUSE_S, ""
        while True:
            try:
                status, content = self._request(method, path, query, body)
                if status not in _AGAIN:
                    return _checked(status, content)
                problem = f"status {status}"
            except ssl.SSLCertVerificationError as error:
                raise RoundAborted.because(f"{self._url} is not the coordinator: {error.verify_message}") from error
            except (OSError, http.client.HTTPException) as error:
                problem = str(error) or type(error).__name__
            if time.monotonic() + pause > deadline:
                raise RoundAborted.because(f"the coordinator at {self._url} is not reached: {problem}")
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _request(self, method: str, path: str, query: str, body: bytes | None) -> tuple[int, bytes]:
        headers = {HEADER: sign_request(self._identity, self._roster, self._silo, method, path)}
        with closing(self._open()) as connection:
            connection.request(method, self._prefix + path + query, body, headers)
            answer = connection.getresponse()
            content = answer.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise RoundRefused.because(f"an answer of at most {MOST_BYTES:,} bytes", "a longer one")
        return answer.status, content


def _connector(url: str, authorities: Path | None) -> Callable[[], http.client.HTTPConnection]:
    """Function that opens a connection: one a request, as polls are seconds apart."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, parts, port = "", urlsplit(""), None
    if not host or parts.scheme not in ("http", "https") or (parts.scheme == "http" and not is_loopback(host)):
        raise InputError(
            expected="the address of a coordinator, such as https://sums.example.org (plain http on this machine only)",
            found=repr(url[:200]),
            next_command="ask who runs the coordinator for its address, and for the certificate that signed its own",
        )
    if parts.scheme == "http":
        return partial(http.client.HTTPConnection, host, port, timeout=WAIT_S + ANSWER_S)
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise InputError(
            expected=f"certificates in PEM in {authorities}",
            found=error.strerror or str(error),
            next_command="openssl x509 -in CERTIFICATES -noout -subject  (shows whether it is one)",
        ) from error
    return partial(http.client.HTTPSConnection, host, port, timeout=WAIT_S + ANSWER_S, context=context)


def _checked(status: int, content: bytes) -> tuple[int, bytes]:
    if status in (http.client.OK, http.client.NO_CONTENT):
        return status, content
    try:
        answer = json.loads(content)
        texts = {name: str(answer[name])[:1_000] for name in ("expected", "found", "next_command")}
    except (ValueError, KeyError, TypeError):
        raise RoundRefused.because("an answer of a coordinator", f"status {status}") from None
    raise (RoundAborted if status == http.client.GONE else RoundRefused)(**texts)
