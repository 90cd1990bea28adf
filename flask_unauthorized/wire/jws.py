"""Reading JSON Web Signatures in the compact form (RFC 7515), before any key is looked for.

Theory of operation
-------------------

Everything here runs on bytes that an attacker chose, and before any signature is checked. So the rules are:

1. **One spelling.** A token that can be written in two ways passes lists of revoked tokens and caches in its second
   spelling. Base64url must be canonical, JSON must not have a member twice, numbers must be finite.
2. **Bounded and linear.** Each part has a limit, the depth of JSON is counted before the parser recurses, and nothing
   is searched twice.
3. **The header can't change the rules.** Members that ask for another way of reading (``crit``, ``b64``, ``zip``,
   ``enc``) are rejected, and so is a key in the header, except in a DPoP proof.
4. **One error.** `JOSEError` names the rule and never a value, so that no part of a token gets into a log.

An issuer's tokens share a handful of headers, so parsed headers are cached by their text. Rejected ones never are.
"""

import binascii
import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NoReturn

MAX_HEADER: Final = 4 * 1024
"""Longest header, in octets of JSON."""
MAX_PAYLOAD: Final = 16 * 1024
"""Longest payload, in octets."""
MAX_SIGNATURE: Final = 1024
"""Longest signature, in octets; that of an RSA key of 4 096 bits has 512."""
MAX_JWS: Final = 28_676
"""Longest token, in characters: the three above in base64url, and two dots."""
MAX_DEPTH: Final = 16
"""Deepest nesting of JSON."""
MAX_NUMBER: Final = 64
"""Longest number in JSON, in characters."""
MAX_KID: Final = 256
"""Longest ``kid``, in octets of UTF-8."""

_LONGEST: Final = tuple((4 * octets + 2) // 3 for octets in (MAX_HEADER, MAX_PAYLOAD, MAX_SIGNATURE))  # in base64url
_CACHED_HEADERS: Final = 128
_URL_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_STANDARD_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_BRACKETS: Final = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
# RFC 7515 §4.1.11, RFC 7797: extensions that change what is signed or how it is read. None is supported.
_REFUSED: Final = {
    "crit": "asks for an extension (crit)",
    "b64": "changes what is signed (b64)",
    "zip": "is compressed (zip)",
    "enc": "is that of an encrypted token (enc)",
    "p2c": "is that of an encrypted token (p2c)",
}


class JOSEError(ValueError):
    """A token, a key or a JSON text that isn't what it must be. The message names the rule and never a value."""


class CompactJWS(NamedTuple):
    """A signed token that was decoded and not verified. Nothing of it is in the ``repr``.

    Attributes:
        header: The header, read-only; see `read_jws` for its rules.
        payload: The payload, in bytes.
        signing_input: What was signed (RFC 7515 §5.1).
        signature: The signature, in bytes.
        algorithm: ``alg``, as the token claims it. The key decides what is accepted.
        kid: The key id, or ``None``.
    """

    header: Mapping[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes
    algorithm: str
    kid: str | None

    def __repr__(self) -> str:
        return "<CompactJWS>"


def read_jws(text: str, *, max_size: int = MAX_JWS, embedded_key: bool = False) -> CompactJWS:
    """Decode a token in the compact form (RFC 7515 §7.1), without verifying it.

    Each part must be present, canonical base64url and within its limit. The header must be a JSON object. Its ``alg``
    must be a string, and so must ``kid`` and ``typ`` if they are given. It must not have ``crit``, ``b64``, ``zip``,
    ``enc`` or a nested token (``cty``). Addresses and certificates of keys (``jku``, ``x5u``, ``x5c``) are never used.

    Args:
        text: The token.
        max_size: Longest token, in characters. Beyond `MAX_JWS` it is the limit of the payload as well.
        embedded_key: Whether the header must hold the key (``jwk``), as in a DPoP proof (RFC 9449 §4.2), or must not.

    Raises:
        JOSEError: And nothing else, whatever ``text`` is.
    """
    if not isinstance(text, str):
        raise JOSEError("a token must be text")
    if len(text) > max_size:
        raise JOSEError(f"the token is longer than {max_size} characters")
    parts = text.split(".", 5)
    if len(parts) != 3:
        raise JOSEError("the token has not three parts: only the compact form of a signed token is read")
    protected, content, proof = parts
    longest = _LONGEST[1] if max_size <= MAX_JWS else max_size
    if not (0 < len(protected) <= _LONGEST[0] and 0 < len(content) <= longest and 0 < len(proof) <= _LONGEST[2]):
        raise JOSEError("a part of the token is empty or longer than allowed")
    header = _header(protected, embedded_key)
    try:
        payload, signature = decode_base64url(content), decode_base64url(proof)
    except JOSEError as error:
        raise JOSEError(f"payload or signature: {error}") from None
    signing_input = f"{protected}.{content}".encode("ascii")
    return CompactJWS(header, payload, signing_input, signature, header["alg"], header.get("kid"))


def unverified_issuer(text: str) -> str | None:
    """Return ``iss`` of a token in the compact form, without verifying anything.

    Use it only to choose the loader of the issuer that the token names. Nothing has confirmed that name.

    Returns:
        The claim. ``None`` if the token hasn't three parts, header and payload aren't JSON objects, or the claim isn't
        a string.
    """
    issuer = _unverified_claims(text).get("iss")
    return issuer if isinstance(issuer, str) else None


def has_no_issuer(text: str) -> bool:
    """Return whether a token in the compact form has claims, and no ``iss``. Nothing is verified."""
    claims = _unverified_claims(text)
    return bool(claims) and claims.get("iss") is None


def _unverified_claims(text: str) -> dict[str, Any]:
    parts = text.split(".", 3)
    if len(parts) != 3:
        return {}
    try:
        read_json_object(decode_base64url(parts[0]))
        return read_json_object(decode_base64url(parts[1]))
    except JOSEError:
        return {}


def read_json_object(octets: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Parse a JSON object that all parsers read alike (RFC 8259, RFC 7493).

    It must be UTF-8 without a byte order mark, without a member twice and without lone surrogates. Numbers must be
    finite, not a negative zero, and at most 64 characters long.

    Args:
        octets: The JSON text.
        max_depth: Deepest nesting of objects and arrays.

    Raises:
        JOSEError: And nothing else.
    """
    _check_depth(octets, max_depth)
    try:
        text = octets.decode("utf-8")
        value = _decode(text)
        if "\\u" in text and _SURROGATE.search(text) is not None:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except JOSEError:
        raise
    except UnicodeError:
        raise JOSEError("JSON that is not Unicode text in UTF-8") from None
    except (ValueError, RecursionError):
        raise JOSEError("not JSON") from None
    if not isinstance(value, dict):
        raise JOSEError("JSON that is not an object")
    return value


def decode_base64url(text: str) -> bytes:
    """Decode base64url in its only spelling (RFC 7515 §2): no padding, no other alphabet, no bits left over.

    Raises:
        JOSEError: And nothing else.
    """
    try:
        given = text.encode("ascii")
        octets = binascii.a2b_base64(given.translate(_URL_TO_STANDARD) + b"=" * (-len(given) % 4))
    except (AttributeError, ValueError):
        raise JOSEError("not base64url") from None
    # Python's decoder skips unknown characters and unused bits. Only the canonical spelling is the same when the octets
    # are encoded again.
    if binascii.b2a_base64(octets, newline=False).translate(_STANDARD_TO_URL).rstrip(b"=") != given:
        raise JOSEError("not canonical base64url")
    return octets


def encode_base64url(octets: bytes) -> str:
    """Encode bytes in base64url without padding (RFC 7515 §2).

    Example:
        Encode the hash of an access token, as ``ath`` of a DPoP proof needs it::

            from hashlib import sha256
            from flask_unauthorized.wire.jws import encode_base64url

            ath = encode_base64url(sha256(b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU").digest())
            assert ath == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"

    Args:
        octets: The bytes.
    """
    return binascii.b2a_base64(octets, newline=False).translate(_STANDARD_TO_URL).rstrip(b"=").decode("ascii")


@lru_cache(maxsize=_CACHED_HEADERS)
def _header(part: str, embedded_key: bool) -> Mapping[str, Any]:
    # An issuer's tokens share a handful of headers, so each is read once. Malformed headers are never cached.
    try:
        header = read_json_object(decode_base64url(part))
    except JOSEError as error:
        raise JOSEError(f"the header: {error}") from None
    _check_header(header)
    if embedded_key != ("jwk" in header):
        raise JOSEError("the header has no key (jwk)" if embedded_key else "the header brings its own key (jwk)")
    return MappingProxyType(header)


def _check_header(header: dict[str, Any]) -> None:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or not algorithm or algorithm.lower() == "none":
        raise JOSEError("the header names no algorithm (alg)")
    for name, text in _REFUSED.items():
        if name in header:
            raise JOSEError(f"the header {text}")
    for name in ("kid", "typ", "cty"):
        if not isinstance(header.get(name, ""), str):
            raise JOSEError(f"the header's {name} is not a string")
    if len(header.get("kid", "").encode("utf-8")) > MAX_KID:
        raise JOSEError(f"the header's kid is longer than {MAX_KID} octets")
    if header.get("cty", "").lower().removeprefix("application/") == "jwt":
        raise JOSEError("the token holds another token (cty)")


def _check_depth(octets: bytes, max_depth: int) -> None:
    if octets.count(b"{") + octets.count(b"[") <= max_depth:
        return  # most texts end here: no text is deeper than the number of its brackets
    depth, in_string = 0, False
    for found in _BRACKETS.finditer(octets):
        sign = found.group()
        if sign == b'"':
            in_string = not in_string
        elif not in_string and sign in (b"{", b"["):
            depth += 1
            if depth > max_depth:
                raise JOSEError(f"JSON nested deeper than {max_depth}")
        elif not in_string and sign in (b"}", b"]"):
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JOSEError("JSON with a member twice")
    return members


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER or text == "-0":
        raise JOSEError("JSON with a number out of range")
    return int(text)


def _float(text: str) -> float:
    number = math.nan if len(text) > MAX_NUMBER else float(text)
    if not math.isfinite(number) or (number == 0 and text.startswith("-")):
        raise JOSEError("JSON with a number out of range")
    return number


def _constant(_: str) -> NoReturn:
    raise JOSEError("JSON with NaN or Infinity")


_decode: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
).decode
