"""`Exchange`: one request with its response, as plain values that every framework can give.

`redact` keeps secrets out of findings. It replaces what the request sent as credentials wherever a response repeats it,
and values that look like tokens or that only one client may know.
"""

import base64
import binascii
import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from ..wire import Challenge
from ..wire.fetch_metadata import is_script
from ..wire.soundness import Examined, examine
from .catalog import RULES, Finding

Fields = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]
"""Header fields: a mapping, or pairs, in which a name may occur several times. Text or bytes (Latin-1)."""

_SECRET_PARAMS: Final = re.compile(r'(?i)\b(nonce|opaque|cnonce|response)(\s*=\s*)("(?:[^"\\]|\\.)*"?|[^\s,]+)')
_TOKEN_LIKE: Final = re.compile(r"[A-Za-z0-9_\-+=~]{24,}|[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{4,}\.[A-Za-z0-9_\-]*")
_USERINFO: Final = re.compile(r"(://)[^/?#\s\"]*@")
_CREDENTIAL_FIELDS: Final = ("authorization", "proxy-authorization", "cookie", "dpop", "x-csrf-token")
_KEY_FIELD: Final = re.compile(r"(?:^|-)(?:key|token|auth|secret|session|jwt|assertion|remote-user)(?:$|-)")
_KEY_ARGUMENT: Final = re.compile(r"(?i)token|key|secret|password|code|sig|auth|jwt")
_LONGEST: Final = 300


@dataclass(frozen=True)
class Exchange:
    """One request with its response.

    Attributes:
        status: The status of the response.
        fields: The fields of the response, with names in lower case.
        body: The body of the response; ``None`` if it isn't known.
        method: The method of the request.
        path: The path of the request, without its query.
        query: The query of the request.
        request_fields: The fields of the request, with names in lower case; ``None`` if they aren't known.
    """

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes | None = None
    method: str = "GET"
    path: str = "/"
    query: str = ""
    request_fields: tuple[tuple[str, str], ...] | None = None

    def lines(self, name: str) -> list[str]:
        """Return all lines of a response field; ``name`` in lower case."""
        return [value for known, value in self.fields if known == name]

    def members(self, name: str) -> set[str]:
        """Return the members of a response field that is a list, in lower case."""
        return {part.strip().lower() for line in self.lines(name) for part in line.split(",")} - {""}

    def sent(self, name: str) -> str | None:
        """Return a field of the request; ``None`` if it wasn't sent or the fields aren't known."""
        found = [value for known, value in self.request_fields or () if known == name]
        return ", ".join(found) if found else None

    @cached_property
    def examined(self) -> list[tuple[str, Examined]]:
        """Each line of ``WWW-Authenticate`` that isn't empty, with what is wrong with it."""
        return [(line, examine(line, self.status)) for line in self.lines("www-authenticate") if line.strip(" \t,")]

    @property
    def challenges(self) -> list[Challenge]:
        """The challenges that can be sent on, without broken parameters."""
        return [challenge for _, one in self.examined for challenge in one.challenges]

    @property
    def is_preflight(self) -> bool:
        """Whether the request is a CORS preflight."""
        asked = self.sent("access-control-request-method")
        return self.method == "OPTIONS" and asked is not None and self.sent("origin") is not None

    @property
    def is_anonymous(self) -> bool:
        """Whether the request surely had nothing that may be a credential. Unknown fields give ``False``."""
        if self.request_fields is None or self.method not in ("GET", "HEAD", "OPTIONS"):
            return False  # The body may hold a token or a password.
        if any(_may_hold_credentials(name) for name, _ in self.request_fields):
            return False
        return not any(_KEY_ARGUMENT.search(name) for name, _ in parse_qsl(self.query, keep_blank_values=True))

    @property
    def is_of_script(self) -> bool:
        """Whether a script in a browser sent the request. Unknown fields give ``False``."""
        return is_script({f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.request_fields or ()})

    def finding(self, rule_id: str, seen: str = "") -> Finding:
        """Return a finding of a rule. ``seen`` may hold what the response had; secrets are replaced."""
        rule = RULES[rule_id]
        path = redact(self, self.path)
        return Finding(
            rule_id, rule.level, rule.title, redact(self, seen), rule.fix, rule.see, self.method, path, self.status
        )


def make_exchange(
    status: int | str,
    fields: Fields,
    body: bytes | None = None,
    *,
    method: str = "GET",
    path: str = "/",
    query: str = "",
    request_fields: Fields | None = None,
) -> Exchange:
    """Return an exchange. ``status`` may be a line such as ``"401 UNAUTHORIZED"``; a query in ``path`` is split off."""
    number = status if isinstance(status, int) else int(status[:3])
    path, mark, rest = path.partition("?")
    sent = None if request_fields is None else _pairs(request_fields)
    return Exchange(number, _pairs(fields), body, method.upper(), path or "/", rest if mark else query, sent)


def redact(exchange: Exchange, text: str) -> str:
    """Return a text of a response without credentials, nonces, tokens and control characters, shortened."""
    text = _SECRET_PARAMS.sub(r"\1\2…", text)
    for secret in sorted(_secrets(exchange), key=len, reverse=True):
        text = text.replace(secret, "…")
    return on_one_line(_USERINFO.sub(r"\1…@", _TOKEN_LIKE.sub("…", text)))


def on_one_line(text: str) -> str:
    """Return a text that a server may have sent, without control characters, shortened."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _secrets(exchange: Exchange) -> set[str]:
    """Return what the request sent that may be a secret, and the parts of it."""
    values = [value for name, value in exchange.request_fields or () if _may_hold_credentials(name)]
    arguments = parse_qsl(exchange.query, keep_blank_values=True)
    found = {value for name, value in arguments if _KEY_ARGUMENT.search(name)}
    found.update(part for value in values for part in _parts(value))
    found.update({unquote(one) for one in found})
    return set(filter(_is_worth_hiding, found))


def _is_worth_hiding(part: str) -> bool:
    """Return whether a part may be a secret. Shorter ones would hide ordinary words of the response."""
    return len(part) >= 4 or (len(part) == 3 and not part.isalpha())


def _may_hold_credentials(name: str) -> bool:
    return name in _CREDENTIAL_FIELDS or _KEY_FIELD.search(name) is not None


def _parts(value: str) -> set[str]:
    """Return a field value with its parts, and user and password of Basic; not the names of schemes."""
    found = {value, *re.split(r"[\s,;=\"]+", value)} - {"Bearer", "Basic", "Digest", "DPoP", "Token"}
    if value[:6].lower() == "basic ":
        with contextlib.suppress(binascii.Error):
            found.update(base64.b64decode(value[6:].strip(), validate=True).decode("latin-1").split(":", 1))
    return found


def _pairs(fields: Fields) -> tuple[tuple[str, str], ...]:
    pairs: Any = fields.items() if isinstance(fields, Mapping) else fields
    return tuple((_text(name).lower(), _text(value).strip(" \t")) for name, value in pairs)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
