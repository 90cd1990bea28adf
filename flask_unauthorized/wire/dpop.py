"""What DPoP proofs are compared by (RFC 9449 §4.3): normalised URIs, thumbprints of keys, hashes of tokens."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

MAX_URI: Final = 4096
"""Longest URI that is read, in bytes."""

# Not RFC 3986 to the letter: browsers leave characters such as "|" and "[" in a path as they are.
_URI: Final = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[0-9a-z._~!$&'()*+,;=-]+)(?::([0-9]*))?(/[!$-;=@-\[\]-~]*)?(?:\?[!-~]*)?(?:#[!-~]*)?",
    re.IGNORECASE,
)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

_MEMBERS: Final = {"EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "RSA": ("e", "n")}
_COORDINATES: Final = {
    "EC": {"P-256": 32, "P-384": 48, "P-521": 66},
    "OKP": {"Ed25519": 32, "Ed448": 57},
}
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")


def normal_uri(uri: str) -> str:
    """An http or https URI in normal form, without query and fragment (RFC 9449 §4.3; RFC 3986 §6.2.2, §6.2.3).

    >>> normal_uri("HTTPS://API.Example.com:443/a/./b/../%7euser%2f?q=1#f")
    'https://api.example.com/a/~user%2F'

    Raises `ValueError` for anything else: another scheme, a user or password, what is not ASCII, a broken ``%``.
    """
    match = _URI.fullmatch(uri) if len(uri) <= MAX_URI else None
    if match is None:
        raise ValueError("not an http or https URI of printable ASCII without user and password (RFC 3986)")
    scheme, host, port = match[1].lower(), match[2].lower(), match[3]
    authority = host if port in (None, "", _DEFAULT_PORTS[scheme]) else f"{host}:{port}"
    return f"{scheme}://{authority}{_normal_path(match[4] or '/')}"


def _normal_path(path: str) -> str:
    if "%" in path:
        if _BROKEN_ESCAPE.search(path):
            raise ValueError("a % that no two hex digits follow (RFC 3986 §2.1)")
        path = _ESCAPE.sub(_normal_escape, path)
    return _without_dots(path) if "/." in path else path


def _normal_escape(escape: "re.Match[str]") -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _without_dots(path: str) -> str:
    """``path`` without the segments ``.`` and ``..`` (RFC 3986 §5.2.4)."""
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            kept[-1:] = []
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """``jkt``: the SHA-256 thumbprint of a key, in base64url (RFC 7638 §3; RFC 8037 §2 for Ed25519 and Ed448).

    Only the required members count. Raises `ValueError` for another type of key or another curve, and for members that
    are not canonical (padding, spare bits, zeros in front of a number, a coordinate of another length): a key would
    have several thumbprints.
    """
    kty = jwk.get("kty")
    names = _MEMBERS.get(kty) if isinstance(kty, str) else None
    if names is None:
        raise ValueError("kty is none of EC, OKP and RSA")
    members = {name: jwk.get(name) for name in names}
    _check_members(str(kty), members)
    text = json.dumps({**members, "kty": kty}, sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(text.encode("ascii")).digest())


def _check_members(kty: str, members: Mapping[str, Any]) -> None:
    length = None
    if kty in _COORDINATES:
        curve = members["crv"]
        length = _COORDINATES[kty].get(curve) if isinstance(curve, str) else None
        if length is None:
            raise ValueError(f"crv is none of {', '.join(_COORDINATES[kty])}")
    for name, value in members.items():
        if name != "crv":
            octets = _canonical(name, value)
            if (len(octets) != length) if length else octets.startswith(b"\0"):
                raise ValueError(f"{name} is not canonical: too long or too short (RFC 7518 §6)")


def _canonical(name: str, value: Any) -> bytes:
    if not isinstance(value, str) or _BASE64URL.fullmatch(value) is None or len(value) % 4 == 1:
        raise ValueError(f"{name} is not base64url without padding (RFC 7515 §2)")
    octets = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    if _base64url(octets) != value:
        raise ValueError(f"{name} is not canonical base64url: its spare bits are set (RFC 4648 §3.5)")
    return octets


def access_token_hash(token: str) -> str:
    """``ath``: base64url of the SHA-256 of an access token (RFC 9449 §4.2). `ValueError` where it is not ASCII."""
    return _base64url(hashlib.sha256(token.encode("ascii")).digest())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
