"""Logout tokens of an OpenID provider: the table of `tests/loaders/test_logout_tokens`, and the endpoint's own."""

from typing import Any

from flask_unauthorized import AuthError
from tests.canaries import register
from tests.loaders.test_logout_tokens import TABLE, of_provider

from . import Row
from .refusing import call_of, clock


def refused(token: str, options: Any) -> Any:
    def run() -> AuthError:
        register(token, *(part for part in token.split(".")[1:] if len(part) > 20))
        with clock():
            return call_of(of_provider(**options), token)()

    return run


ROWS = [Row(name, refused(token, options), 401, reason) for name, (token, options, reason) in TABLE.items()]
