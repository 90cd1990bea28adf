"""What single schemes ask of their challenges beyond the grammar. Each rule raises `ValueError` or returns nothing."""

import re
from collections.abc import Callable, Mapping
from typing import Final

# As registered with IANA, and the two private schemes of this project. Clients compare without case (RFC 9110 §11.1),
# but some do not, so the registered spelling goes out.
SPELLINGS: Final = {
    name.lower(): name
    for name in (
        "ApiKey", "Basic", "Bearer", "Concealed", "Cookie", "Digest", "DPoP", "GNAP", "HOBA", "Mutual", "Negotiate",
        "OAuth", "PrivateToken", "SCRAM-SHA-1", "SCRAM-SHA-256", "vapid",
    )
}  # fmt: skip

MAX_REALM: Final = 256
"""Longest realm that may be sent, in bytes."""

_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_OAUTH_TEXT = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6750 §3: error and error_description
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")  # RFC 6750 §3, RFC 6749 §3.3
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[\x21\x23-\x5b\x5d-\x7e]+")
_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#]*@")

Params = Mapping[str, str]


def check_printable(name: str, value: str) -> None:
    """Refuses what a field value must not hold (RFC 9110 §5.5): line ends, controls, anything beyond ASCII."""
    if _PRINTABLE.fullmatch(value) is None:
        raise ValueError(
            f"{name}={value!a} holds a character that cannot be sent safely: use printable ASCII only (RFC 9110 §5.5)"
        )


def check_realm(realm: str) -> None:
    """Refuses a realm that is not printable ASCII or longer than 256 bytes."""
    check_printable("realm", realm)
    if len(realm) > MAX_REALM:
        raise ValueError(f"realm is {len(realm)} bytes long: use at most {MAX_REALM}")


def check_scope_token(scope: str) -> None:
    """Refuses what RFC 6749 §3.3 does not allow as one scope: blanks, quotes, backslashes, beyond ASCII, nothing."""
    if _SCOPE_TOKEN.fullmatch(scope) is None:
        raise ValueError(
            f"scope {scope!a} is not a scope token: use one or more printable ASCII characters "
            'without blank, " and \\ (RFC 6749 §3.3)'
        )


def check_uri(name: str, value: str) -> None:
    """Refuses what is not an absolute URI, or names a user and password (RFC 9110 §4.2.4)."""
    if _ABSOLUTE_URI.fullmatch(value) is None:
        raise ValueError(f"{name}={value!a} is not an absolute URI without blank, quote and backslash (RFC 6750 §3)")
    if _USERINFO.match(value):
        raise ValueError(f"{name} must not hold a user or password (RFC 9110 §4.2.4)")


def _basic(params: Params) -> None:
    if "realm" not in params:
        raise ValueError("a Basic challenge needs a realm (RFC 7617 §2)")
    for name in params.keys() - {"realm", "charset"}:
        raise ValueError(f"Basic has no parameter {name!a}: only realm and charset (RFC 7617 §2)")
    if params.get("charset", "UTF-8").lower() != "utf-8":
        raise ValueError(f"charset={params['charset']!a}: Basic knows only UTF-8 (RFC 7617 §2.1)")


def _oauth(params: Params) -> None:
    if not params:
        raise ValueError("a Bearer or DPoP challenge needs a parameter, realm for one (RFC 6750 §3)")
    for name in ("error", "error_description"):
        if name in params and _OAUTH_TEXT.fullmatch(params[name]) is None:
            raise ValueError(f'{name}={params[name]!a} must be printable ASCII without " and \\ (RFC 6750 §3)')
    if "scope" in params and _SCOPE.fullmatch(params["scope"]) is None:
        raise ValueError(f"scope={params['scope']!a} must be scope tokens with single blanks between (RFC 6750 §3)")
    for name in ("error_uri", "resource_metadata"):
        if name in params:
            check_uri(name, params[name])


def _digest(params: Params) -> None:
    for name in ("realm", "nonce", "qop"):
        if name not in params:
            raise ValueError(f"a Digest challenge needs {name} (RFC 7616 §3.3)")
    for name, allowed in (("stale", ("true", "false")), ("userhash", ("true", "false")), ("charset", ("utf-8",))):
        if name in params and params[name].lower() not in allowed:
            raise ValueError(f"{name}={params[name]!a}: Digest allows {' or '.join(allowed)} (RFC 7616 §3.3)")


RULES: Final[dict[str, Callable[[Params], None]]] = {
    "basic": _basic,
    "bearer": _oauth,
    "dpop": _oauth,
    "digest": _digest,
}
BARE: Final = {"digest": frozenset({"algorithm", "stale", "charset", "userhash"})}
"""Parameters that are sent as tokens (RFC 7616 §3.3); all others are quoted."""
