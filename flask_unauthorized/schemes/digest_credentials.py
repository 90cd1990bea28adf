"""Read what a client sends after ``Authorization: Digest`` (RFC 7616 §3.4).

1. The field is split into parameters. A regular expression reads the form that all known clients send. Everything else
   goes through the strict parser of `flask_unauthorized.wire`, which takes five times as long and gives the same
   values.
2. Each parameter is checked: it is present, has its form, and names a ``qop`` and an algorithm that the scheme offers.
3. The name is read: ``username``, ``username*`` (RFC 8187) or a hash (§3.4.4).
4. ``uri`` must be the target of the request (§3.4.6).

Which status an error gets: a parameter that no correct client sends is `MalformedCredentials` (400). If such
credentials carry a valid nonce, they are `InvalidCredentials` (401) instead. The new challenge then lets the client
fall back to another scheme, and a 400 would end its attempts.

Nothing here knows a secret, asks a loader or writes to a store.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from flask import Request

from ..errors import InvalidCredentials, MalformedCredentials
from ..errors.text import shown
from ..wire import parse_authorization
from ..wire.digest import read_extended, read_name
from ..wire.grammar import BWS, MAX_PARAMS, QUOTED, TOKEN, GrammarError
from .digest_uri import describe_mismatch, is_request_target

MAX_DIGEST: Final = 4096
"""Longest Digest credentials that are read, in bytes."""
MAX_USER: Final = 1024
"""Longest user name, in bytes."""
WITHOUT_QOP: Final = ""
"""Stands for the ``qop`` of credentials without that parameter (RFC 2069)."""

_NONCE_COUNT: Final = re.compile(r"[0-9A-Fa-f]{8}")
# The form that all known clients send: no escapes and no empty list elements. The first character of each piece decides
# which alternative matches, so that the expression never backtracks.
_TEXT: Final = r"[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]*"
_PLAIN: Final = rf'{TOKEN}{BWS}={BWS}(?:"{_TEXT}"|{TOKEN})'
_PLAIN_PARAMS: Final = re.compile(rf"{_PLAIN}(?:{BWS},{BWS}{_PLAIN}){{0,{MAX_PARAMS - 1}}}")
_PLAIN_PARAM: Final = re.compile(rf'({TOKEN}){BWS}={BWS}(?:"({_TEXT})"|({TOKEN}))')
_ANY_PARAM: Final = re.compile(rf"({TOKEN}){BWS}={BWS}({QUOTED}|{TOKEN})")
_LONE_BACKSLASH: Final = re.compile(r'(?:[^\\]|\\["\\])*\\[^"\\]')


class DigestCredentials:
    """The parameters of one ``Authorization: Digest`` field (RFC 7616 §3.4).

    The ``repr`` shows no value, and the object can't be pickled.

    Attributes:
        algorithm: One of the offered algorithms, spelled as in the challenge.
        cnonce: The client's nonce.
        literal_name: The name with its backslashes, if the client may have hashed that one: see `_literal_name`.
        name: The user's name in NFC, or its hash if ``userhash`` is set.
        nc: The nonce count, eight hex digits.
        nonce: The nonce of the challenge.
        qop: One of the accepted values. With `WITHOUT_QOP`, ``cnonce`` and ``nc`` are empty.
        realm: The realm that the client hashed.
        response: The proof, in hex.
        uri: The request target that the client hashed.
        userhash: Whether ``name`` is a hash of the user's name (RFC 7616 §3.4.4).
    """

    __slots__ = (
        "algorithm", "cnonce", "literal_name", "name", "nc", "nonce", "qop", "realm", "response", "uri", "userhash",
    )  # fmt: skip
    algorithm: str
    cnonce: str
    literal_name: str | None
    name: str
    nc: str
    nonce: str
    qop: str
    realm: str
    response: str
    uri: str
    userhash: bool

    def __repr__(self) -> str:
        return "<DigestCredentials>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("credentials are not pickled")


def read_credentials(
    rest: str,
    request: Request,
    algorithms: Mapping[str, str],
    qops: tuple[str, ...],
    is_valid_nonce: Callable[[str, Request], bool],
) -> DigestCredentials:
    """Read the credentials after the scheme's name.

    Args:
        rest: What follows ``Digest`` in the field, octets as Latin-1.
        request: The request that carries them.
        algorithms: The offered algorithms by their lower-case names.
        qops: The accepted values of ``qop``. With `WITHOUT_QOP` among them, the parameter may be absent.
        is_valid_nonce: Tells whether a nonce was made by this app and hasn't expired.

    Raises:
        MalformedCredentials: If a parameter is missing or wrong, or ``uri`` isn't the target of the request.
        InvalidCredentials: If the algorithm isn't offered, or a parameter is missing or wrong beside a valid nonce.
    """
    parameters = _parameters(rest)
    try:
        credentials = _validated_credentials(parameters, rest, algorithms, qops)
    except MalformedCredentials as error:
        if is_valid_nonce(parameters.get("nonce", ""), request):
            raise InvalidCredentials(reason=error.reason) from None
        raise
    if not is_request_target(credentials.uri, request):
        raise _malformed(describe_mismatch(credentials.uri, request))
    return credentials


def _validated_credentials(
    parameters: Mapping[str, str], rest: str, algorithms: Mapping[str, str], qops: tuple[str, ...]
) -> DigestCredentials:
    found = _read_required(parameters, qops)
    qop = found.qop
    if qop not in qops:
        raise _malformed(f"qop is {shown(qop, 20)}, expected one of {shown(list(filter(None, qops)))}: see qop=")
    if qop and _NONCE_COUNT.fullmatch(found.nc) is None:
        raise _malformed(f"nc has {len(found.nc)} characters, expected eight hex digits (RFC 7616 section 3.4)")
    if not (found.cnonce.isascii() and found.cnonce.isprintable()):
        raise _malformed("cnonce holds a character outside printable ASCII, expected printable ASCII only")
    found.name, found.userhash = _name(parameters)
    found.literal_name = _literal_name(rest) if "\\" in rest and not found.userhash else None
    # Without the parameter, the algorithm is MD5 (RFC 7616 §3.3).
    algorithm = algorithms.get(parameters.get("algorithm", "MD5").lower())
    if algorithm is None:
        raise _unknown_algorithm(parameters.get("algorithm"), list(algorithms.values()))
    if not qop and algorithm.endswith("-sess"):
        raise _malformed(f"qop is absent, and algorithm {algorithm} needs it, expected qop=auth (RFC 7616 section 3.4)")
    found.algorithm = algorithm
    return found


def _read_required(parameters: Mapping[str, str], qops: tuple[str, ...]) -> DigestCredentials:
    """Return credentials with the parameters that each client sends (RFC 7616 §3.4), and no others."""
    if WITHOUT_QOP in qops and "qop" not in parameters:
        parameters = {**parameters, "qop": WITHOUT_QOP, "cnonce": "", "nc": ""}
    found = DigestCredentials()
    try:
        found.realm = parameters["realm"]
        found.nonce = parameters["nonce"]
        found.uri = parameters["uri"]
        found.response = parameters["response"]
        found.cnonce = parameters["cnonce"]
        found.nc = parameters["nc"]
        found.qop = parameters["qop"]
    except KeyError as missing:
        raise _malformed(
            f"{missing.args[0]} is absent, expected realm, nonce, uri, response, cnonce, nc and qop: legacy=True does "
            "without the last three"
        ) from None
    if not (found.realm and found.nonce and found.uri and found.response and (found.cnonce or not found.qop)):
        empty = next(name for name in ("realm", "nonce", "uri", "response", "cnonce") if not parameters[name])
        raise _malformed(f"{empty} is empty, expected a value")
    return found


def _parameters(rest: str) -> dict[str, str]:
    """Return the parameters by their lower-case names."""
    if len(rest) > MAX_DIGEST:
        raise _malformed(f"the credentials have {len(rest)} bytes, expected at most {MAX_DIGEST}")
    if _PLAIN_PARAMS.fullmatch(rest) is not None:
        found = _PLAIN_PARAM.findall(rest)
        values = {name.lower(): quoted or token for name, quoted, token in found}
        if len(values) == len(found):  # Otherwise a name occurs twice, which the strict parser rejects.
            return values
    try:
        parsed = parse_authorization(f"Digest {rest}")
    except GrammarError as error:
        raise _malformed("the parameters break the grammar: " + str(error).replace("§", "section ")) from None
    return {name.lower(): value for name, value in parsed.params} if parsed is not None else {}


def _literal_name(rest: str) -> str | None:
    r"""Return the name with its backslashes (``DOMAIN\user``), if one of them isn't a proper escape.

    A proper one stands before a quote or another backslash. Some clients (requests, httpx) hash a name with a
    backslash, and send it without escaping the backslash. By RFC 9110 §5.6.4 the field then says ``DOMAINuser``. The
    hash tells which of the two names the client means.
    """
    for parameter, value in _ANY_PARAM.findall(rest):
        if parameter.lower() == "username" and _LONE_BACKSLASH.match(value[1:-1]) is not None:
            name = read_name(value[1:-1])
            return name if name.isprintable() and len(name.encode()) <= MAX_USER else None
    return None


def _name(parameters: Mapping[str, str]) -> tuple[str, bool]:
    """Return the name, and whether it is a hash (RFC 7616 §3.4, §3.4.4)."""
    plain, extended = parameters.get("username"), parameters.get("username*")
    userhash = parameters.get("userhash", "false").lower()
    if userhash not in ("true", "false"):
        raise _malformed(f"userhash has {len(userhash)} characters, expected true or false")
    if (plain is None) == (extended is None):
        raise _not_one_name(plain)
    if plain is not None:
        name = plain if userhash == "true" or plain.isascii() else read_name(plain)
    elif userhash == "true":
        raise _malformed("username* came with userhash=true, expected username for a hash (RFC 7616 section 3.4.4)")
    else:
        try:
            name = read_name(read_extended(extended or "").encode().decode("latin-1"))
        except ValueError:
            raise _malformed(
                "username* is not UTF-8''NAME, expected a percent-encoded name (RFC 8187 section 3.2)"
            ) from None
    if not 0 < len(name.encode()) <= MAX_USER or not name.isprintable():
        raise _unusable_name(len(name.encode()))
    return name, userhash == "true"


# --- refusals


def _unknown_algorithm(given: str | None, algorithms: list[str]) -> InvalidCredentials:
    came = "absent, which means 'MD5'" if given is None else shown(given, 24)
    return InvalidCredentials(
        reason=f"Digest: algorithm is {came}, expected one of {shown(algorithms, 100)}: see algorithms="
    )


def _not_one_name(plain: str | None) -> MalformedCredentials:
    both = "neither username nor username*" if plain is None else "both username and username*"
    return _malformed(f"{both} came, expected one of them")


def _unusable_name(size: int) -> InvalidCredentials:
    came = "holds a control character" if 0 < size <= MAX_USER else f"has {size} bytes"
    return InvalidCredentials(reason=f"Digest: the name {came}, expected 1 to {MAX_USER} bytes of printable text")


def _malformed(reason: str) -> MalformedCredentials:
    return MalformedCredentials(reason=f"Digest: {reason}")
