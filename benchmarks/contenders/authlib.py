"""Authlib's ResourceProtector, with opaque tokens."""

from typing import Any

from authlib.integrations.flask_oauth2 import ResourceProtector
from authlib.oauth2.rfc6750 import BearerTokenValidator
from flask import Flask

from .base import ALL, READ, WRITE, Caller, Contender, View, token_check


class Token(Caller):
    """What Authlib asks of a token."""

    def is_expired(self) -> bool:
        return False

    def is_revoked(self) -> bool:
        return False

    def get_scope(self) -> str:
        return " ".join(self.scopes)


class Validator(BearerTokenValidator):
    """Finds tokens in the table."""

    def __init__(self) -> None:
        super().__init__(realm="benchmark")
        self._look_up = token_check(Token)

    def authenticate_token(self, token_string: str) -> Any:
        return self._look_up(token_string)


def _guard(app: Flask, view: View, demand: str) -> View:
    protector = ResourceProtector()
    protector.register_token_validator(Validator())
    if demand == "optional":
        return protector(optional=True)(view)
    return protector({"held": READ, "lacking": WRITE}.get(demand))(view)


CONTENDERS = (Contender("authlib.opaque", "Authlib, opaque token", _guard, ALL, rival="ours.bearer"),)
