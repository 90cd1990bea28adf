"""What a proxy tells the service behind it about the caller: header fields of the 204."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from typing import Any, Final
from urllib.parse import quote

from ..errors import ConfigurationError
from ..identity import Identity

CallerHeaders = Mapping[str, str | Callable[[Identity], str | Collection[str] | None]]
"""What ``headers=`` takes: by name of the field, an attribute of `Identity` or a function of it."""
DEFAULT_HEADERS: Final[Mapping[str, str]] = {
    "X-Auth-Subject": "subject",
    "X-Auth-Scopes": "scopes",
    "X-Auth-Roles": "roles",
    "X-Auth-Client": "client_id",
}
_TOKEN: Final = re.compile(r"[!#$%&'*+.^`|~0-9A-Za-z-]+")  # no underscore: many proxies drop such fields
_VISIBLE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")
_OF_THE_ANSWER: Final = frozenset(
    {
        "cache-control",
        "connection",
        "content-length",
        "content-type",
        "location",
        "set-cookie",
        "transfer-encoding",
        "vary",
        "www-authenticate",
        "x-auth-login",
        "x-auth-status",
    }
)
_ATTRIBUTES: Final = tuple(one.name for one in fields(Identity) if one.name not in ("claims", "user", "confirmation"))


def validated_headers(headers: CallerHeaders | None) -> CallerHeaders:
    """Return ``headers``, the default if it is ``None``.

    Raises:
        ConfigurationError: For a name that can't be used, and for an attribute that `Identity` doesn't have.
        TypeError: If it isn't a mapping, or holds something else.
    """
    if headers is None:
        return DEFAULT_HEADERS
    if not isinstance(headers, Mapping):
        raise TypeError(f'headers must be a mapping such as {{"X-Auth-Subject": "subject"}}, not {headers!r}')
    for name, source in headers.items():
        if not isinstance(name, str) or not (isinstance(source, str) or callable(source)):
            raise TypeError(
                f"headers has {name!r}: {source!r}, expected the name of a field, and an attribute of Identity or a "
                "function of it"
            )
        if _TOKEN.fullmatch(name) is None or name.lower() in _OF_THE_ANSWER:
            raise ConfigurationError(
                f'headers has {name!r}, which can\'t name the caller: write a name such as "X-Auth-Subject"'
            )
        if isinstance(source, str) and source not in _ATTRIBUTES:
            raise ConfigurationError(
                f"headers has {source!r} for {name}, which is not one of {', '.join(_ATTRIBUTES)}: write a function of "
                "the Identity for anything else"
            )
    return dict(headers)


def header_lines(headers: CallerHeaders, identity: Identity | None) -> list[tuple[str, str]]:
    """Return the fields about a caller.

    All fields come each time, empty for what is unknown, so that a proxy overwrites what a client sent.
    """
    return [(name, "" if identity is None else _line(source, identity)) for name, source in headers.items()]


def _line(source: str | Callable[[Identity], Any], identity: Identity) -> str:
    value = getattr(identity, source) if isinstance(source, str) else source(identity)
    if value is None:
        return ""
    if isinstance(value, (set, frozenset)):
        value = sorted(value)
    return " ".join(map(_encoded, value)) if isinstance(value, (list, tuple)) else _encoded(value)


def _encoded(value: object) -> str:
    """Return a value in visible ASCII. Other characters and ``%`` are percent-encoded, as UTF-8."""
    return quote(str(value), safe=_VISIBLE, errors="surrogatepass")
