"""Samples: credentials of a scheme that look real, so that a request with them is selected and judged as a real one.

No sample is a secret: each is the word ``sample`` in the syntax of its scheme. Which of them a scheme reads is found
out by asking its ``read``, because an app may have schemes of its own. `Scheme.read` asks no loader, store or network.

A client can't make up a login in Flask's session. For it the session of the explained request is filled
(`explained.Explained.session`). If nothing that is tried is read, such as what the server in front of the app sets, the
credentials count as sent (`explained.Explained.unread`).
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from flask import Flask
from werkzeug.exceptions import HTTPException

from ..errors import AuthError, MalformedCredentials
from ..runtime.flask_compat import request_context
from ..runtime.request_state import real_request
from ..schemes.base import AnyScheme
from ..schemes.digest import Digest
from ..schemes.session.scheme import SessionCookie
from ..wire.rules import spell_field_name
from .explained import SUBJECT
from .find_route import Target

_BROKEN: Final = (f"{SUBJECT} {SUBJECT}", f"{SUBJECT},{SUBJECT}", SUBJECT)
"""Texts that may be malformed: two words, two values that a server has joined, and one word."""
_HEX_DIGITS: Final = {"MD5": 32}
"""By algorithm of Digest, the length of a response. All others have 64 (RFC 7616 §3.4.1)."""


class Sample(NamedTuple):
    """Credentials as a request carries them.

    Attributes:
        headers: Header lines.
        query: Parameters of the query.
        environ: What the server sets.
        unread: The scheme whose credentials count as sent.
        session: The scheme for whose login the session is filled.
    """

    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    environ: Mapping[str, Any] = {}
    unread: AnyScheme | None = None
    session: SessionCookie | None = None

    def beside(self, other: "Sample") -> "Sample":
        """Return both samples in one request."""
        return Sample((*self.headers, *other.headers), (*self.query, *other.query), {**self.environ, **other.environ})


NOTHING: Final = Sample()


def sample_of(scheme: AnyScheme, app: Flask, target: Target) -> Sample:
    """Return credentials that a scheme reads in a request to ``target``.

    Args:
        scheme: The scheme.
        app: An app that is set up.
        target: Where the request goes.
    """
    if isinstance(scheme, SessionCookie):
        cookie = app.session_interface.get_cookie_name(app)
        return Sample((("Cookie", f"{cookie}={SUBJECT}"),), unread=scheme, session=scheme)
    for sample in _candidates(scheme, app, target):
        if _read(scheme, sample, app, target) == "read":
            return sample
    return Sample(unread=scheme)


def malformed_sample_of(scheme: AnyScheme, app: Flask, target: Target) -> Sample | None:
    """Return credentials that a scheme refuses as malformed; ``None`` if none was found."""
    if isinstance(scheme, SessionCookie):
        return None
    for where, name in scheme.reads:
        for text in _BROKEN:
            sample = _placed(scheme, where, name, text)
            if sample is not None and _read(scheme, sample, app, target) == "malformed":
                return sample
    return None


def doubled(sample: Sample) -> Sample | None:
    """Return a sample that is sent twice in ``Authorization``; ``None`` if it is sent elsewhere."""
    sent = [line for line in sample.headers if line[0] == "Authorization"]
    return sample._replace(headers=(*sample.headers, *sent)) if sent else None


def _candidates(scheme: AnyScheme, app: Flask, target: Target) -> Iterator[Sample]:
    texts = [SUBJECT, base64.b64encode(f"{SUBJECT}:{SUBJECT}".encode()).decode()]
    if isinstance(scheme, Digest):
        texts = [_digest(scheme, target)]
    for where, name in scheme.reads:
        for text in texts:
            sample = _placed(scheme, where, name, text)
            if sample is not None:
                yield sample


def _placed(scheme: AnyScheme, where: str, name: str, text: str) -> Sample | None:
    """Return a text at the place where a scheme reads; ``None`` for a form, which not every request has."""
    if where == "authorization":
        spelled = scheme.name if scheme.name.lower() == name else name
        return Sample((("Authorization", f"{spelled} {text}"),))
    if where == "header":
        return Sample(((spell_field_name(name), text),))
    if where == "cookie":
        return Sample((("Cookie", f"{name}={text}"),))
    if where == "query":
        return Sample(query=((name, text),))
    return Sample(environ={name: text}) if where == "environ" else None


def _digest(scheme: Digest, target: Target) -> str:
    algorithm = scheme.algorithms[0]
    digits = _HEX_DIGITS.get(algorithm.upper().removesuffix("-SESS"), 64)
    uri = target.path + (f"?{target.query}" if target.query else "")
    return (
        f'username="{SUBJECT}", realm="{SUBJECT}", nonce="{SUBJECT}", uri="{uri}", algorithm={algorithm}, '
        f'qop={scheme.qop[0]}, nc=00000001, cnonce="{SUBJECT}", response="{"0" * digits}"'
    )


def _read(scheme: AnyScheme, sample: Sample, app: Flask, target: Target) -> str:
    """Return what a scheme's ``read`` makes of a sample: ``"read"``, ``"malformed"``, or an empty text."""
    with request_context(app, **request_arguments(target, sample)):
        request = real_request()
        name, _, rest = request.headers.get("Authorization", "").partition(" ")
        try:
            found = scheme.read(request, rest if ("authorization", name.lower()) in scheme.reads and rest else None)
        except MalformedCredentials:
            return "malformed"
        except (AuthError, HTTPException):
            return ""
        return "" if found is None else "read"


def request_arguments(target: Target, sample: Sample) -> dict[str, Any]:
    """Return the arguments of Werkzeug's ``EnvironBuilder`` for a request with a sample."""
    query = "&".join(filter(None, (target.query, urlencode(sample.query))))
    return {
        "path": target.path,
        "method": target.method,
        "base_url": target.base_url,
        "query_string": query,
        "headers": list(sample.headers),
        "environ_overrides": dict(sample.environ),
    }
