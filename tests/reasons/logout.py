"""Logout tokens of an OpenID provider: the table of `tests/loaders/test_logout_tokens`, and the endpoint's own."""

import io
from typing import Any

from werkzeug.test import create_environ

from flask_unauthorized import AuthError, SessionCookie
from flask_unauthorized.backchannel_logout import LogoutEndpoint, _logout_token
from flask_unauthorized.stores.memory import MemoryStore
from tests.canaries import register
from tests.loaders.test_logout_tokens import TABLE, logout_token, of_provider

from . import Row
from .refusing import NOW, call_of, clock

FORM = "application/x-www-form-urlencoded"
FIX = "the provider has to send a form, see Back-Channel Logout 1.0 section 2.5"
USED = "jti was accepted before, and that logout is done: the provider has to send each token once"


def refused(token: str, options: Any) -> Any:
    def run() -> AuthError:
        register(token, *(part for part in token.split(".")[1:] if len(part) > 20))
        with clock():
            return call_of(of_provider(**options), token)()

    return run


class Overtaken(MemoryStore):
    """Another request records the token while this one ends the sessions."""

    def _replace(self, key: str, old: str | None, new: str, lifetime: float) -> bool:
        return ":logout-token:" not in key and super()._replace(key, old, new, lifetime)


def used(kind: type[MemoryStore], times: int) -> Any:
    def run() -> AuthError:
        endpoint = LogoutEndpoint("/logout", of_provider(), SessionCookie(str, realm="shop", store=kind()), None)
        token = logout_token(now=NOW)
        with clock():
            for _ in range(times - 1):
                endpoint.end_logins(token, "shop")
            return call_of(endpoint.end_logins, token, "shop")()

    return run


def sent(body: bytes, kind: str = FORM) -> Any:
    def run() -> AuthError:
        environ = create_environ(method="POST", input_stream=io.BytesIO(body), content_type=kind)
        return call_of(_logout_token, environ)()

    return run


ROWS = [
    *(Row(name, refused(token, options), 401, reason) for name, (token, options, reason) in TABLE.items()),
    Row("a token twice", used(MemoryStore, 2), 401, USED),
    Row("a token twice at the same time", used(Overtaken, 1), 401, USED),
    Row("JSON", sent(b"{}", "application/json"), 400, f"Content-Type is not {FORM}: {FIX}"),
    Row("two tokens", sent(b"logout_token=a&logout_token=b"), 400,
        f"the body has 2 parameters logout_token, expected one: {FIX}"),
    Row("a large body", sent(b"x=" + b"y" * 2**20), 400,
        f"the body can't be read as a form of at most 65536 bytes and 20 parameters (RequestEntityTooLarge): {FIX}"),
    Row("octets", sent(b"\xff"), 400,
        f"the body can't be read as a form of at most 65536 bytes and 20 parameters (UnicodeDecodeError): {FIX}"),
]  # fmt: skip
