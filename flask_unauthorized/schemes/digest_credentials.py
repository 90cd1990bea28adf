"""What a client sends for Digest (RFC 7616 §3.4), read strictly where it matters and kindly where clients differ."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from flask import Request

from ..errors import InvalidCredentials, MalformedCredentials
from ..wire import parse_authorization
from ..wire.digest import read_extended, read_name
from ..wire.grammar import BWS, MAX_PARAMS, TOKEN, GrammarError

MAX_DIGEST: Final = 4096
"""Longest Digest credentials that are read, in bytes."""
MAX_USER: Final = 1024
"""Longest user name, in bytes."""

_COUNT: Final = re.compile(r"[0-9A-Fa-f]{8}")
# What all clients send: parameters with nothing escaped and no empty elements, each piece told apart by its first
# character, so that nothing is tried twice. For these `parse_authorization` says the same, at five times the price.
_TEXT: Final = r"[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]*"
_PLAIN: Final = rf'{TOKEN}{BWS}={BWS}(?:"{_TEXT}"|{TOKEN})'
_PLAIN_PARAMS: Final = re.compile(rf"{_PLAIN}(?:{BWS},{BWS}{_PLAIN}){{0,{MAX_PARAMS - 1}}}")
_PLAIN_PARAM: Final = re.compile(rf'({TOKEN}){BWS}={BWS}(?:"({_TEXT})"|({TOKEN}))')


class DigestCredentials:
    """One Digest answer. Its ``repr`` shows nothing and it cannot be pickled."""

    __slots__ = ("algorithm", "cnonce", "hashed", "name", "nc", "nonce", "qop", "realm", "response", "uri")
    algorithm: str
    cnonce: str
    hashed: bool  # whether `name` is a hash of the name
    name: str
    nc: str
    nonce: str
    qop: str
    realm: str
    response: str
    uri: str

    def __repr__(self) -> str:
        return "<DigestCredentials>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("credentials are not pickled")


def read_credentials(
    rest: str, request: Request, algorithms: Mapping[str, str], qops: tuple[str, ...]
) -> DigestCredentials:
    """The credentials behind ``Digest``; ``algorithms`` are those offered, by their lower-case names.

    Raises `MalformedCredentials` for what no client may send, `InvalidCredentials` for an algorithm that isn't offered.
    """
    values = _parameters(rest)
    found = DigestCredentials()
    try:
        found.realm = values["realm"]
        found.nonce = values["nonce"]
        found.uri = values["uri"]
        found.response = values["response"]
        found.cnonce = cnonce = values["cnonce"]
        found.nc = nc = values["nc"]
        found.qop = qop = values["qop"]
    except KeyError as missing:
        raise _malformed(f"no {missing.args[0]}") from None
    if not (found.realm and found.nonce and found.uri and found.response and cnonce):
        raise _malformed("an empty realm, nonce, uri, response or cnonce")
    if qop not in qops:
        raise _malformed("a qop that isn't offered")
    if _COUNT.fullmatch(nc) is None or nc == "00000000":
        raise _malformed("nc is not eight hex digits above 00000000")
    if not (cnonce.isascii() and cnonce.isprintable()):
        raise _malformed("a cnonce beyond printable ASCII")
    if not _designates(found.uri, request):
        raise _malformed("uri is not that of the request")
    found.name, found.hashed = _name(values)
    algorithm = algorithms.get(values.get("algorithm", "MD5").lower())
    if algorithm is None:
        raise InvalidCredentials(reason="Digest: an algorithm that isn't offered")
    found.algorithm = algorithm
    return found


def _parameters(rest: str) -> dict[str, str]:
    if len(rest) > MAX_DIGEST:
        raise _malformed(f"longer than {MAX_DIGEST} bytes")
    if _PLAIN_PARAMS.fullmatch(rest) is not None:
        found = _PLAIN_PARAM.findall(rest)
        values = {name.lower(): quoted or token for name, quoted, token in found}
        if len(values) == len(found):  # else one occurs twice
            return values
    try:
        parsed = parse_authorization(f"Digest {rest}")
    except GrammarError as error:
        raise _malformed(str(error)) from None
    return {name.lower(): value for name, value in parsed.params} if parsed is not None else {}


def _name(values: Mapping[str, str]) -> tuple[str, bool]:
    """The name, and whether it is a hash (RFC 7616 §3.4)."""
    plain, extended = values.get("username"), values.get("username*")
    hashed = values.get("userhash", "false").lower()
    if hashed not in ("true", "false"):
        raise _malformed("userhash is neither true nor false")
    if (plain is None) == (extended is None):
        raise _malformed("username and username*, or neither")
    if plain is not None:
        name = plain if hashed == "true" or plain.isascii() else read_name(plain)
    elif hashed == "true":
        raise _malformed("username* with userhash")
    else:
        name = _extended(extended or "")
    if not name or len(name.encode()) > MAX_USER or not name.isprintable():
        raise InvalidCredentials(reason="Digest: the name is empty, too long, or has control characters")
    return name, hashed == "true"


def _extended(value: str) -> str:
    try:
        return read_name(read_extended(value).encode().decode("latin-1"))
    except ValueError:
        raise _malformed("username* is not UTF-8 in the form of RFC 8187") from None


def percent_decoded(name: str) -> str | None:
    """The name behind percent-encoding, ``None`` where there is none."""
    if "%" not in name:
        return None
    decoded = unicodedata.normalize("NFC", unquote(name, errors="replace"))
    return decoded if decoded != name and decoded.isprintable() else None


def _malformed(reason: str) -> MalformedCredentials:
    return MalformedCredentials(reason=f"Digest: {reason}")


# --- which resource the answer is for (RFC 7616 §3.4.6)


def _designates(uri: str, request: Request) -> bool:
    """Whether ``uri`` is the target of this request, octet for octet where the server tells what came."""
    environ = request.environ
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    wanted = _origin_form(uri, request)
    if wanted is None:
        return False
    if not raw:
        return _same_decoded(wanted, environ)
    target = _origin_form(raw, request) or raw
    return wanted == target or wanted == _behind_prefix(target, environ)


def _origin_form(target: str, request: Request) -> str | None:
    """Path and query of a target; ``None`` for an absolute one of another host."""
    if target[:7].lower() != "http://" and target[:8].lower() != "https://":
        return target
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    if parts.netloc.lower() != request.host.lower():
        return None
    rest = target[len(parts.scheme) + 3 + len(parts.netloc) :]
    return rest if rest.startswith("/") else "/" + rest


def _behind_prefix(target: str, environ: Mapping[str, Any]) -> str:
    """The target as the client knows it, where a proxy cut a prefix off and told of it (``X-Forwarded-Prefix``)."""
    prefix = quote(environ.get("SCRIPT_NAME", "").encode("latin-1"), safe="/:@!$&'()*+,;=~")
    return target if target.startswith(prefix + "/") else prefix + target


def _same_decoded(uri: str, environ: Mapping[str, Any]) -> bool:
    """For servers that don't tell the target as it came: the path decoded, the query as it is."""
    path, _, query = uri.partition("?")
    served = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    return (unquote_to_bytes(path), query) == (served.encode("latin-1"), environ.get("QUERY_STRING", ""))
