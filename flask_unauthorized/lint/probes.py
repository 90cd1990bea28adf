"""The requests that ``python -m flask_unauthorized.lint URL`` sends, and the client that sends them.

All credentials in them are invalid: they are made up here. At most nine requests are sent, one after another. Each
ends after `TIMEOUT` seconds. Redirects aren't followed, cookies aren't kept, and at most `MAX_BODY` bytes of a body are
read.

The metadata that a challenge names is asked for only at the origin of the URL. Otherwise a server could make this
command send requests to other hosts.
"""

import base64
import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from .exchange import Exchange, make_exchange

TIMEOUT: Final = 10.0
"""The longest time for one request with its response, in seconds."""
MAX_BODY: Final = 64 * 1024
"""How many bytes of a body are read."""
WRONG_TOKEN: Final = "flask-unauthorized-lint-wrong-token"
WRONG_PASSWORD: Final = base64.b64encode(b"flask-unauthorized-lint:wrong").decode()
_AGENT: Final = {"User-Agent": "flask_unauthorized.lint", "Accept": "*/*", "Connection": "close"}
_HTML: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Probe(NamedTuple):
    """One request."""

    name: str
    method: str
    headers: Mapping[str, str]


def probes(method: str, origin: str, expired_token: str | None = None) -> list[Probe]:
    """Return the requests for a URL, without the one for its metadata.

    Args:
        method: The method that is probed. With HEAD or OPTIONS, only that method is sent.
        origin: The origin whose scripts the CORS probes speak for.
        expired_token: A token that has expired; ``None`` leaves out its probe.
    """
    found = [
        Probe("nothing", method, {}),
        Probe("wrong token", method, {"Authorization": f"Bearer {WRONG_TOKEN}"}),
        Probe("wrong password", method, {"Authorization": f"Basic {WRONG_PASSWORD}"}),
        Probe("malformed token", method, {"Authorization": "Bearer two tokens"}),
        Probe("HTML", method, {"Accept": _HTML}),
        Probe(
            "preflight",
            "OPTIONS",
            {
                "Origin": origin,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "authorization",
            },
        ),
        Probe("other origin", method, {"Origin": origin, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"}),
    ]
    if expired_token is not None:
        found.append(Probe("expired token", method, {"Authorization": f"Bearer {expired_token}"}))
    elif method == "GET":
        found.append(Probe("HEAD", "HEAD", {}))
    return found


class Client:
    """Sends requests to the origin of one URL.

    Args:
        url: The URL, ``http`` or ``https``, without user and fragment.
        verify: Whether the certificate of the server is verified.

    Raises:
        ValueError: If the URL can't be asked.
    """

    def __init__(self, url: str, *, verify: bool = True) -> None:
        self.url = _validated_url(url)
        self._context = ssl.create_default_context() if self.url.scheme == "https" else None
        if self._context is not None and not verify:
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE

    def send(self, probe: Probe, url: SplitResult | None = None) -> Exchange:
        """Send one request, and return it with its response.

        Raises:
            OSError: If there was no response in time.
            http.client.HTTPException: If the response isn't HTTP.
        """
        url = url or self.url
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = {**_AGENT, **probe.headers}
        connection = self._connection()
        connection.connect()
        # The timeout of a socket starts anew with each byte, so another thread ends what takes too long. The connection
        # forgets its socket when the head of the last response has come, and the body still comes from it.
        timer = threading.Timer(TIMEOUT, _shut_down, [connection.sock])
        timer.daemon = True
        timer.start()
        try:
            connection.request(probe.method, target, headers=headers)
            response = connection.getresponse()
            body = response.read(MAX_BODY)
        finally:
            timer.cancel()
            connection.close()
        fields = response.getheaders()
        return make_exchange(
            response.status, fields, body, method=probe.method, path=target, request_fields=probe.headers
        )

    def metadata(self, exchanges: Mapping[str, Exchange]) -> Exchange | None:
        """Ask for the metadata that a challenge names; ``None`` if none is named at this origin.

        The server chose the URL, so a failure is an exchange with the status 0, and costs no other finding.
        """
        for url in _metadata_urls(exchanges):
            if (url.scheme, url.netloc.lower()) == (self.url.scheme, self.url.netloc.lower()):
                try:
                    return self.send(Probe("metadata", "GET", {"Accept": "application/json"}), url)
                except (OSError, http.client.HTTPException, ValueError):
                    return make_exchange(0, (), method="GET", path=url.path)
        return None

    def _connection(self) -> http.client.HTTPConnection:
        # Without a port, http.client takes the end of an IPv6 address for one.
        host, port = self.url.hostname or "", self.url.port or (80 if self._context is None else 443)
        if self._context is None:
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=self._context)


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # It may be closed already.
        sock.shutdown(socket.SHUT_RDWR)


def _metadata_urls(exchanges: Mapping[str, Exchange]) -> Iterator[SplitResult]:
    for exchange in exchanges.values():
        for challenge in exchange.challenges:
            try:
                url = urlsplit(challenge.get("resource_metadata") or "")
                _ = url.port
            except ValueError:
                continue
            if url.scheme:
                yield url


def _validated_url(text: str) -> SplitResult:
    """Return the parts of a URL. Raises `ValueError` with the reason for one that can't be asked."""
    url = urlsplit(text)
    _ = url.port  # raises for what isn't a port
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("this is not an http or https URL: write http://127.0.0.1:5000/notes")
    if url.username is not None or url.fragment:
        raise ValueError("the URL has a user or a fragment: leave them out")
    if not text.isascii() or any(character <= " " for character in text):
        raise ValueError("the URL has characters that no URL can have: encode them as %XX")
    return url
