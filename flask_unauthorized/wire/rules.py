"""What the RFCs of single schemes require of a challenge, beyond the grammar.

Each check raises `ValueError` with the rule's source, or returns nothing. `Challenge` applies all of them to what this
package sends, and `soundness` applies the same ones to what other code sends.
"""

import re
from collections.abc import Callable, Collection
from typing import Final

# As registered with IANA, and the schemes of this project: ApiKey, Cookie and RemoteUser. Clients should compare
# without case (RFC 9110 §11.1), but some don't, so the registered spelling is sent.
SPELLINGS: Final = {
    name.lower(): name
    for name in (
        "ApiKey", "Basic", "Bearer", "Concealed", "Cookie", "Digest", "DPoP", "GNAP", "HOBA", "Mutual", "Negotiate",
        "OAuth", "PrivateToken", "RemoteUser", "SCRAM-SHA-1", "SCRAM-SHA-256", "vapid",
    )
}  # fmt: skip

MAX_CLOCK_SKEW: Final = 60
"""How far the clocks of two machines may differ, in seconds."""
MAX_REALM: Final = 256
"""The longest realm that may be sent, in bytes."""

_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_OAUTH_TEXT = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6750 §3: error and error_description
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")  # RFC 6750 §3, RFC 6749 §3.3
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[\x21\x23-\x5b\x5d-\x7e]+")
_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#]*@")


def spell_field_name(name: str) -> str:
    """Return a field name as it is usually written: ``"X-Api-Key"`` for ``"x-api-key"``."""
    return "-".join(part.capitalize() for part in name.split("-"))


def check_printable(name: str, value: str) -> None:
    """Refuse control characters, line ends, and characters beyond ASCII (RFC 9110 §5.5)."""
    if _PRINTABLE.fullmatch(value) is None:
        raise ValueError(
            f"{name}={value!a} holds a character that cannot be sent safely: use printable ASCII only (RFC 9110 §5.5)"
        )


def check_realm(realm: str) -> None:
    """Refuse a realm that is not printable ASCII, or longer than 256 bytes."""
    check_printable("realm", realm)
    if len(realm) > MAX_REALM:
        raise ValueError(f"realm is {len(realm)} bytes long: use at most {MAX_REALM}")


def check_scope_token(scope: str) -> None:
    """Refuse an empty scope, and one with a blank, quote, backslash or character beyond ASCII (RFC 6749 §3.3)."""
    if _SCOPE_TOKEN.fullmatch(scope) is None:
        raise ValueError(
            f"scope {scope!a} is not a scope token: use one or more printable ASCII characters "
            'without blank, " and \\ (RFC 6749 §3.3)'
        )


def check_uri(name: str, value: str) -> None:
    """Refuse a URI that is not absolute, or contains a user or password (RFC 9110 §4.2.4)."""
    if _ABSOLUTE_URI.fullmatch(value) is None:
        raise ValueError(f"{name}={value!a} is not an absolute URI without blank, quote and backslash (RFC 6750 §3)")
    if _USERINFO.match(value):
        raise ValueError(f"{name} must not hold a user or password (RFC 9110 §4.2.4)")


def _basic_param(name: str, value: str) -> None:
    if name not in ("realm", "charset"):
        raise ValueError(f"Basic has no parameter {name!a}: only realm and charset (RFC 7617 §2)")
    if name == "charset" and value.lower() != "utf-8":
        raise ValueError(f"charset={value!a}: Basic knows only UTF-8 (RFC 7617 §2.1)")


def _oauth_param(name: str, value: str) -> None:
    if name in ("error", "error_description") and _OAUTH_TEXT.fullmatch(value) is None:
        raise ValueError(f'{name}={value!a} must be printable ASCII without " and \\ (RFC 6750 §3)')
    if name == "scope" and _SCOPE.fullmatch(value) is None:
        raise ValueError(f"scope={value!a} must be scope tokens with single blanks between (RFC 6750 §3)")
    if name in ("error_uri", "resource_metadata"):
        check_uri(name, value)


_DIGEST_VALUES: Final = {"stale": ("true", "false"), "userhash": ("true", "false"), "charset": ("utf-8",)}


def _digest_param(name: str, value: str) -> None:
    allowed = _DIGEST_VALUES.get(name)
    if allowed is not None and value.lower() not in allowed:
        raise ValueError(f"{name}={value!a}: Digest allows {' or '.join(allowed)} (RFC 7616 §3.3)")


def check_param(scheme: str, name: str, value: str) -> None:
    """Refuse a parameter that must not be sent; ``scheme`` and ``name`` in lower case."""
    check_printable(name, value)
    if name == "realm":
        check_realm(value)
    rule = _PARAM_RULES.get(scheme)
    if rule is not None:
        rule(name, value)


def check_required(scheme: str, names: Collection[str]) -> None:
    """Refuse a challenge that lacks a parameter which its scheme requires; all names in lower case."""
    if scheme in ("bearer", "dpop") and not names:
        raise ValueError("a Bearer or DPoP challenge needs a parameter, realm for one (RFC 6750 §3)")
    for name in _REQUIRED.get(scheme, ()):
        if name not in names:
            raise ValueError(_MISSING_PARAM_MESSAGES[scheme].format(name))


SCHEMES_WITH_RULES: Final = frozenset({"basic", "bearer", "digest", "dpop"})
"""Schemes whose own RFC defines their challenges. They have parameters, and no token68."""
_PARAM_RULES: Final[dict[str, Callable[[str, str], None]]] = {
    "basic": _basic_param,
    "bearer": _oauth_param,
    "dpop": _oauth_param,
    "digest": _digest_param,
}
_REQUIRED: Final = {"basic": ("realm",), "digest": ("realm", "nonce", "qop")}
_MISSING_PARAM_MESSAGES: Final = {
    "basic": "a Basic challenge needs a {} (RFC 7617 §2)",
    "digest": "a Digest challenge needs {} (RFC 7616 §3.3)",
}
UNQUOTED_PARAMS: Final = {"digest": frozenset({"algorithm", "stale", "charset", "userhash"})}
"""Parameters that are sent as tokens (RFC 7616 §3.3). All others are quoted."""
