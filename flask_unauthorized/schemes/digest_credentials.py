"""What a client sends for Digest (RFC 7616 §3.4), read strictly where it matters and kindly where clients differ."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, unquote_to_bytes

from flask import Request

from ..errors import InvalidCredentials, MalformedCredentials, shown
from ..wire import parse_authorization
from ..wire.digest import read_extended, read_name
from ..wire.grammar import BWS, MAX_PARAMS, QUOTED, TOKEN, GrammarError

MAX_DIGEST: Final = 4096
"""Longest Digest credentials that are read, in bytes."""
MAX_USER: Final = 1024
"""Longest user name, in bytes."""
WITHOUT_QOP: Final = ""
"""The ``qop`` of an answer that names none (RFC 2069)."""

_COUNT: Final = re.compile(r"[0-9A-Fa-f]{8}")
# What all clients send: parameters with nothing escaped and no empty elements, each piece told apart by its first
# character, so that nothing is tried twice. For these `parse_authorization` says the same, at five times the price.
_TEXT: Final = r"[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]*"
_PLAIN: Final = rf'{TOKEN}{BWS}={BWS}(?:"{_TEXT}"|{TOKEN})'
_PLAIN_PARAMS: Final = re.compile(rf"{_PLAIN}(?:{BWS},{BWS}{_PLAIN}){{0,{MAX_PARAMS - 1}}}")
_PLAIN_PARAM: Final = re.compile(rf'({TOKEN}){BWS}={BWS}(?:"({_TEXT})"|({TOKEN}))')
_ANY_PARAM: Final = re.compile(rf"({TOKEN}){BWS}={BWS}({QUOTED}|{TOKEN})")
_LONE_BACKSLASH: Final = re.compile(r'(?:[^\\]|\\["\\])*\\[^"\\]')


class DigestCredentials:
    """One Digest answer. Its ``repr`` shows nothing and it cannot be pickled."""

    __slots__ = ("algorithm", "as_sent", "cnonce", "hashed", "name", "nc", "nonce", "qop", "realm", "response", "uri")
    algorithm: str
    as_sent: str | None  # the other name that the client may mean: see `_name_as_sent`
    cnonce: str
    hashed: bool  # whether `name` is a hash of the name
    name: str
    nc: str
    nonce: str
    qop: str  # `WITHOUT_QOP` where the client sent none; then cnonce and nc are empty
    realm: str
    response: str
    uri: str

    def __repr__(self) -> str:
        return "<DigestCredentials>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("credentials are not pickled")


def read_credentials(
    rest: str,
    request: Request,
    algorithms: Mapping[str, str],
    qops: tuple[str, ...],
    is_fresh: Callable[[str, Request], bool],
) -> DigestCredentials:
    """The answer behind ``Digest``.

    ``algorithms`` are those offered, by their lower-case names. ``qops`` are those accepted; if `WITHOUT_QOP` is among
    them, an answer may have no ``qop``. Raises `InvalidCredentials` for an algorithm that isn't offered, and
    `MalformedCredentials` for what no client may send. An improper answer to a challenge that ``is_fresh`` knows by
    its nonce is `InvalidCredentials` too: the new challenge lets the client go on to another scheme, as a 400 doesn't.
    """
    values = _parameters(rest)
    try:
        found = _answer(values, rest, algorithms, qops)
    except MalformedCredentials as error:
        if is_fresh(values.get("nonce", ""), request):
            raise InvalidCredentials(reason=error.reason) from None
        raise
    if not _designates(found.uri, request):
        raise _malformed(_other_target(found.uri, request))
    return found


def _answer(
    values: Mapping[str, str], rest: str, algorithms: Mapping[str, str], qops: tuple[str, ...]
) -> DigestCredentials:
    if WITHOUT_QOP in qops and "qop" not in values:
        values = {**values, "qop": WITHOUT_QOP, "cnonce": "", "nc": ""}
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
        raise _malformed(
            f"{missing.args[0]} is absent, expected realm, nonce, uri, response, cnonce, nc and qop: legacy=True does "
            "without the last three"
        ) from None
    if not (found.realm and found.nonce and found.uri and found.response and (cnonce or not qop)):
        empty = next(name for name in ("realm", "nonce", "uri", "response", "cnonce") if not values[name])
        raise _malformed(f"{empty} is empty, expected a value")
    if qop not in qops:
        raise _malformed(f"qop is {shown(qop, 20)}, expected one of {shown([name for name in qops if name])}: see qop=")
    if qop and _COUNT.fullmatch(nc) is None:
        raise _malformed(f"nc has {len(nc)} characters, expected eight hex digits (RFC 7616 section 3.4)")
    if not (cnonce.isascii() and cnonce.isprintable()):
        raise _malformed("cnonce holds a character outside printable ASCII, expected printable ASCII only")
    found.name, found.hashed = _name(values)
    found.as_sent = _name_as_sent(rest) if "\\" in rest and not found.hashed else None
    algorithm = algorithms.get(values.get("algorithm", "MD5").lower())
    if algorithm is None:
        came = shown(values["algorithm"], 24) if "algorithm" in values else "absent, which means 'MD5'"
        raise InvalidCredentials(
            reason=f"Digest: algorithm is {came}, expected one of {shown(list(algorithms.values()), 100)}: see "
            "algorithms="
        )
    if not qop and algorithm.endswith("-sess"):
        raise _malformed(f"qop is absent, and algorithm {algorithm} needs it, expected qop=auth (RFC 7616 section 3.4)")
    found.algorithm = algorithm
    return found


def _parameters(rest: str) -> dict[str, str]:
    if len(rest) > MAX_DIGEST:
        raise _malformed(f"the credentials have {len(rest)} bytes, expected at most {MAX_DIGEST}")
    if _PLAIN_PARAMS.fullmatch(rest) is not None:
        found = _PLAIN_PARAM.findall(rest)
        values = {name.lower(): quoted or token for name, quoted, token in found}
        if len(values) == len(found):  # else one occurs twice
            return values
    try:
        parsed = parse_authorization(f"Digest {rest}")
    except GrammarError as error:
        raise _malformed("the parameters break the grammar: " + str(error).replace("§", "section ")) from None
    return {name.lower(): value for name, value in parsed.params} if parsed is not None else {}


def _name_as_sent(rest: str) -> str | None:
    r"""The name with its backslashes, where one of them escapes neither a quote nor a backslash: ``DOMAIN\user``.

    Some clients (requests, httpx) hash a name with a backslash, and send it without escaping the backslash. By
    RFC 9110 §5.6.4 the field then says ``DOMAINuser``. The hash tells which of the two names the client means.
    """
    for name, value in _ANY_PARAM.findall(rest):
        if name.lower() == "username" and _LONE_BACKSLASH.match(value[1:-1]) is not None:
            sent = read_name(value[1:-1])
            return sent if sent.isprintable() and len(sent.encode()) <= MAX_USER else None
    return None


def _name(values: Mapping[str, str]) -> tuple[str, bool]:
    """The name, and whether it is a hash (RFC 7616 §3.4)."""
    plain, extended = values.get("username"), values.get("username*")
    hashed = values.get("userhash", "false").lower()
    if hashed not in ("true", "false"):
        raise _malformed(f"userhash has {len(hashed)} characters, expected true or false")
    if (plain is None) == (extended is None):
        both = "neither username nor username*" if plain is None else "both username and username*"
        raise _malformed(f"{both} came, expected one of them")
    if plain is not None:
        name = plain if hashed == "true" or plain.isascii() else read_name(plain)
    elif hashed == "true":
        raise _malformed("username* came with userhash=true, expected username for a hash (RFC 7616 section 3.4.4)")
    else:
        name = _extended(extended or "")
    size = len(name.encode())
    if not 0 < size <= MAX_USER or not name.isprintable():
        came = "holds a control character" if 0 < size <= MAX_USER else f"has {size} bytes"
        raise InvalidCredentials(reason=f"Digest: the name {came}, expected 1 to {MAX_USER} bytes of printable text")
    return name, hashed == "true"


def _extended(value: str) -> str:
    try:
        return read_name(read_extended(value).encode().decode("latin-1"))
    except ValueError:
        raise _malformed(
            "username* is not UTF-8''NAME, expected a percent-encoded name (RFC 8187 section 3.2)"
        ) from None


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


def _other_target(uri: str, request: Request) -> str:
    """Why ``uri`` doesn't match. Only paths are named, because a query may hold a secret."""
    absolute = _ABSOLUTE.match(uri)
    sent = (uri if absolute is None else uri[absolute.end() :]).partition("?")[0]
    served = request.script_root + request.path
    why = "host or query differs" if sent == served else f"path is {shown(sent, 80)}"
    return f"uri is not the target of this request: its {why}, expected the target {shown(served, 80)} as it came"


_ABSOLUTE: Final = re.compile(r"http(s?)://([^/?#]*)", re.IGNORECASE)


def _origin_form(target: str, request: Request) -> str | None:
    """Path and query of a target; ``None`` for an absolute one of another host."""
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        return target
    port = ":443" if absolute[1] else ":80"
    if absolute[2].lower().removesuffix(port) != request.host.lower().removesuffix(port):
        return None
    rest = target[absolute.end() :]
    return rest if rest.startswith("/") else "/" + rest


def _behind_prefix(target: str, environ: Mapping[str, Any]) -> str:
    """The target as the client knows it, where a proxy cut a prefix off and told of it (``X-Forwarded-Prefix``)."""
    prefix = quote(environ.get("SCRIPT_NAME", "").encode("latin-1"), safe="/:@!$&'()*+,;=~")
    return target if target.startswith(prefix + "/") else prefix + target


def _same_decoded(uri: str, environ: Mapping[str, Any]) -> bool:
    """For servers that don't tell the target as it came: path and query compare as the app reads them.

    Adapters for serverless platforms get a parsed query and print it anew, so that its escapes differ from those that
    the client sent. Octets are compared, not text, because replacement characters would make different values equal.
    """
    path, _, query = uri.partition("?")
    served = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    return unquote_to_bytes(path.encode("latin-1")) == served.encode("latin-1") and (
        query == environ.get("QUERY_STRING", "") or _parsed(query) == _parsed(environ.get("QUERY_STRING", ""))
    )


def _parsed(query: str) -> dict[str, list[str]]:
    """The values of each name in their order. The order of different names doesn't count."""
    return parse_qs(query, keep_blank_values=True, encoding="latin-1")
