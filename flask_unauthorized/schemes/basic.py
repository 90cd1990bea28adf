"""Basic (RFC 7617)."""

import base64
import binascii
import functools
import unicodedata
from collections.abc import Iterable, Mapping
from typing import ClassVar

from flask import Request

from ..arguments import checked_flag, explains_arguments
from ..errors import AuthError, ConfigurationError, InvalidCredentials, MalformedCredentials
from ..wire import Challenge
from ..wire.fetch_metadata import is_script
from ..wire.grammar import is_token
from ..wire.rules import SPELLINGS
from .base import Loader, Scheme, Secret, ask_loader
from .origins import trusted

MAX_USER = 1024
"""Longest user name, in bytes."""
MAX_PASSWORD = 4096
"""Longest password, in bytes."""


class Basic(Scheme[Secret]):
    """User name and password (RFC 7617). The loader gets both as ``str``, in NFC.

    It may answer with ``True`` for the named user, or with what every loader may return. ``latin1=True`` tries the
    Latin-1 reading of octets that are not UTF-8 (RFC 7617 appendix B.2); ``empty_password=True`` lets the loader see
    empty passwords. ``script_alias="XBasic"`` is for apps whose pages ask for a password and nothing else: a browser's
    scripts are then offered a scheme of that name, for which no password box opens, and it is taken like Basic;
    without an alias scripts are offered Basic only where no other scheme is in force. Browsers repeat a password by
    themselves: unsafe requests from another site are refused with 403, unless their origin is in ``trusted_origins``.
    A script of another origin that sends ``Authorization: Basic`` on purpose looks the same, so name its origin there,
    too, beside the settings of your CORS extension. Names up to 1 024 bytes and passwords up to 4 096 are looked at,
    whatever ``UNAUTHORIZED_MAX_CREDENTIALS`` says.
    """

    name = "Basic"
    prompts = True
    needs_loader = True
    cacheable_challenges = True
    specification: ClassVar[Mapping[str, tuple[str, str]]] = {
        "invalid_token": ("RFC 7617 §2, the Basic scheme", "https://www.rfc-editor.org/rfc/rfc7617#section-2")
    }
    curl_options = ("-u", "NAME:PASSWORD")
    loader_args = 2
    names_subject = True
    _credential = "the name and the password"

    @explains_arguments()
    def __init__(
        self,
        loader: Loader | None = None,
        *,
        realm: str | None = None,
        latin1: bool = False,
        empty_password: bool = False,
        script_alias: str | None = None,
        trusted_origins: Iterable[str] = (),
    ) -> None:
        super().__init__(loader, realm=realm)
        self.trusted_origins = trusted(trusted_origins)
        self.script_alias = script_alias
        if script_alias is not None:
            _check_alias(script_alias)
            self.reads = (*self.reads, ("authorization", script_alias.lower()))
            self.static = False
            self.depends_on_script = True
        self.latin1 = checked_flag("latin1", latin1)
        self.empty_password = checked_flag("empty_password", empty_password)

    def read(self, request: Request, rest: str | None) -> Secret | None:
        if rest is None:
            return None
        if "," in rest:
            # A server joined two Authorization lines (RFC 9110 §5.3): nobody can say which one counts.
            raise MalformedCredentials(
                reason="Basic: the credentials hold a comma, expected Base64 alone: a client or a server joined two "
                "fields"
            )
        secret = Secret()
        secret.parts = self._split(_decode(rest))
        return secret

    def _split(self, octets: bytes) -> tuple[str, str]:
        try:
            text = octets.decode("utf-8")
        except UnicodeDecodeError:
            if not self.latin1:
                raise InvalidCredentials(
                    reason="Basic: name and password are not UTF-8, expected UTF-8: latin1=True also takes Latin-1"
                ) from None
            text = octets.decode("latin-1")
        name, colon, password = text.partition(":")
        if not colon:
            raise InvalidCredentials(
                reason="Basic: no colon is in the decoded credentials, expected name:password (RFC 7617 section 2)"
            )
        if _has_controls(octets):
            raise InvalidCredentials(
                reason="Basic: the name or the password holds a control character, expected none (RFC 7617 section 2)"
            )
        if len(name.encode()) > MAX_USER or len(password.encode()) > MAX_PASSWORD:
            raise InvalidCredentials(
                reason=f"Basic: the name has {len(name.encode())} bytes and the password {len(password.encode())}, "
                f"expected at most {MAX_USER} and {MAX_PASSWORD}"
            )
        if not password and not self.empty_password:
            raise InvalidCredentials(
                reason="Basic: the password is empty, expected one: empty_password=True lets the loader decide"
            )
        return unicodedata.normalize("NFC", name), unicodedata.normalize("NFC", password)

    verify = ask_loader

    def subject(self, credentials: Secret) -> str | None:
        return credentials.parts[0] or None

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        alias = self.script_alias
        return _challenges(self.name if alias is None or not is_script(request.environ) else alias, realm)


@functools.lru_cache(maxsize=64)
def _challenges(name: str, realm: str) -> tuple[Challenge, ...]:
    return (Challenge(name, (("realm", realm), ("charset", "UTF-8"))),)


def _check_alias(name: str) -> None:
    if not isinstance(name, str) or not is_token(name) or name.lower() in SPELLINGS:
        raise ConfigurationError(f"script_alias={name!a} must be a name that no other scheme has, such as 'XBasic'")


def _decode(value: str) -> bytes:
    """The octets of canonical Base64 (RFC 4648 §3.3, §3.5): one spelling per credential."""
    try:
        octets = base64.b64decode(value.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        raise InvalidCredentials(
            reason="Basic: the credentials are not Base64, expected the Base64 of name:password (RFC 7617 section 2)"
        ) from None
    if base64.b64encode(octets).decode("ascii") != value:
        raise InvalidCredentials(
            reason="Basic: the credentials are not canonical Base64, expected unused bits to be zero (RFC 4648)"
        )
    return octets


def _has_controls(octets: bytes) -> bool:
    return octets.translate(None, _CONTROLS) != octets


_CONTROLS = bytes((*range(0x20), 0x7F))
