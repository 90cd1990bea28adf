"""Reading the key set that a server publishes (RFC 7517 §5).

One bad key must not lock out the users of the others. So a set is read member by member: a key that can't be used is
left out, with a remark for the log. Real servers write some numbers against RFC 7518 §2 (needless or missing zeros,
``=`` at the end), or ``null`` for absent members. Such keys are corrected before they are read, because
their meaning is beyond doubt; private members are never corrected. `parse_key_set` returns the remarks, so that
`JWKS`, which reads the same set every few minutes, can log each one once.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..logs import log
from ..wire.jws import JOSEError, decode_base64url, encode_base64url, read_json_object
from .jwk import MAX_MEMBER, OtherUseError, public_key_jwk
from .keys import CURVES, Key

MAX_KEYS: Final = 100
"""Most keys in a set."""
_MAY_BE_NULL: Final = frozenset({"kid", "use", "alg", "key_ops"})


class KeySet(NamedTuple):
    """The usable keys of a JWK set, and remarks for the log about the others."""

    keys: tuple[Key, ...]
    remarks: tuple[str, ...]


def read_key_set(octets: bytes) -> tuple[Key, ...]:
    """Read the keys of a JWK set that can verify signatures (RFC 7517 §5).

    Keys that are malformed, weak, symmetric, private or for another use are left out, and the log names them. Numbers
    with needless or missing zeros, ``=`` at the end, and ``null`` for absent members are corrected, and logged too.

    Example:
        Read a key set that your deployment brings along::

            from pathlib import Path
            from flask_unauthorized.jose import read_key_set
            from flask_unauthorized.loaders.jwt import JWT

            keys = read_key_set(Path("jwks.json").read_bytes())
            tokens = JWT("https://id.example.com", audience="notes", keys=keys)

    Args:
        octets: The JSON text.

    Raises:
        JOSEError: The only exception. The text is not a JWK set, or has more than 100 keys.
    """
    if isinstance(octets, str):
        raise JOSEError("read_key_set() takes bytes, not a str: read the file with read_bytes(), or encode the text")
    found = parse_key_set(octets)
    for text in found.remarks:
        log.warning("%s", text)
    return found.keys


def parse_key_set(octets: bytes) -> KeySet:
    """Read a set without logging, for callers who read it again and again and log each remark once."""
    members = read_json_object(octets).get("keys")
    if not isinstance(members, list):
        raise JOSEError("a JWK set without a list of keys")
    if len(members) > MAX_KEYS:
        raise JOSEError(f"a JWK set of more than {MAX_KEYS} keys")
    found, remarks = [], []
    for place, member in enumerate(members):
        kid = member.get("kid") if isinstance(member, dict) else None
        name = f"key {place} of the set" + (f" (kid {kid[:60]!a})" if isinstance(kid, str) else "")
        try:
            jwk, repairs = _repaired(member)
            found.append(public_key_jwk(jwk))
            if repairs:
                remarks.append(f"{name} is used, but its issuer should correct it: {', '.join(repairs)}")
        except OtherUseError as other:
            log.debug("%s is left out: %s", name, other)
        except JOSEError as error:
            remarks.append(f"{name} is left out: {error}")
    return KeySet(tuple(found), tuple(remarks))


def _repaired(member: Any) -> tuple[Any, list[str]]:
    """Return a member in the form that `public_key_jwk` takes, and what had to be changed.

    Private members are left alone, even if they are null: a set that has them is not what its issuer means to publish.
    """
    if not isinstance(member, Mapping):
        return member, []
    jwk = {name: value for name, value in member.items() if value is not None or name not in _MAY_BE_NULL}
    repairs = [f"{name} is null" for name in sorted(member.keys() - jwk.keys())]
    for name, size in _sizes_of(jwk).items():
        value = jwk.get(name)
        if isinstance(value, str) and 0 < len(value) <= MAX_MEMBER:
            jwk[name], texts = _repaired_number(value, size)
            repairs += [f"{name} {text}" for text in texts]
    return jwk, repairs


def _sizes_of(jwk: Mapping[str, Any]) -> dict[str, int | None]:
    """Return the members that hold numbers, with their size in octets: ``None`` for the shortest, -1 for no change."""
    kind, curve = jwk.get("kty"), jwk.get("crv")
    if kind == "RSA":
        return {"n": None, "e": None}
    if kind == "EC" and isinstance(curve, str) and curve in CURVES:
        return dict.fromkeys(("x", "y"), CURVES[curve][1])
    return {"x": -1} if kind == "OKP" else {}


def _repaired_number(text: str, size: int | None) -> tuple[str, list[str]]:
    """Return a number in its only form (RFC 7518 §2 and §6.2.1.2), and what was wrong with it."""
    repairs = []
    bare = text.rstrip("=")
    if bare != text:
        repairs.append("is padded with '='")
    if size == -1:
        return bare, repairs
    octets = decode_base64url(bare)
    digits = octets.lstrip(b"\0")
    whole = digits if size is None else digits.rjust(size, b"\0")
    if len(whole) > len(octets):
        repairs.append(f"has {len(octets)} octets in place of {size}")
    elif len(whole) < len(octets):
        repairs.append("begins with a zero octet too many")
    return encode_base64url(whole), repairs
