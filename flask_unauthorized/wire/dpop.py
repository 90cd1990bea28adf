"""What DPoP proofs are compared by (RFC 9449 §4.3): normalised URIs, thumbprints of keys, hashes of tokens."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from .jws import JOSEError, decode_base64url, encode_base64url

MAX_URI: Final = 4096
"""Longest URI that is read, in bytes."""

# Each part ends where the next one's sign stands, so that nothing is tried twice. Not RFC 3986 to the letter: browsers
# leave characters such as "|" and "[" in a path as they are.
_URI: Final = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[0-9a-z._~!$&'()*+,;=-]+)(?::([0-9]*))?(/[!$-;=@-\[\]-~]*)?(?:\?[!\"$-~]*)?(?:#[!-~]*)?",
    re.IGNORECASE,
)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

_MEMBERS: Final = {"EC": ("x", "y"), "OKP": ("x",), "RSA": ("e", "n")}
_CURVES: Final = {"EC": {"P-256": 32, "P-384": 48, "P-521": 66}, "OKP": {"Ed25519": 32, "Ed448": 57}}


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
    return f"{scheme}://{authority}{normal_path(match[4] or '/')}"


def normal_path(path: str) -> str:
    """The path of such a URI in normal form; `ValueError` for a broken ``%``."""
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

    Only the `key_members` count. Raises `ValueError` as they do.
    """
    members = key_members(jwk)
    # As JSON, which json.dumps() would do in six times as long: none of these texts has anything to escape.
    text = ",".join(f'"{name}":"{members[name]}"' for name in sorted(members))
    return encode_base64url(hashlib.sha256(f"{{{text}}}".encode("ascii")).digest())


def key_members(jwk: Mapping[str, Any]) -> dict[str, str]:
    """The members that make a public key what it is (RFC 7638 §3.2), without ``kid``, ``use`` and all others.

    Raises `ValueError` for another type of key or another curve, and for members that are not canonical (padding, spare
    bits, zeros in front of a number, a coordinate of another length): one key would have several thumbprints.
    """
    kty = jwk.get("kty")
    if not isinstance(kty, str) or kty not in _MEMBERS:
        raise ValueError("kty is none of EC, OKP and RSA")
    length = _length_of(kty, jwk.get("crv"))
    for name in _MEMBERS[kty]:
        try:
            octets = decode_base64url(jwk.get(name, ""))
        except JOSEError as error:
            raise ValueError(f"{name} is {error} (RFC 7515 §2)") from None
        if (len(octets) != length) if length else octets[:1] in (b"", b"\0"):
            raise ValueError(f"{name} has too many octets, or too few (RFC 7518 §6)")
    curve = {"crv": jwk["crv"]} if length else {}
    return {"kty": kty, **curve, **{name: jwk[name] for name in _MEMBERS[kty]}}


def _length_of(kty: str, curve: Any) -> int:
    """How many octets each member of a key on a curve has; 0 for a key without one."""
    curves = _CURVES.get(kty)
    if curves is None:
        return 0
    if not isinstance(curve, str) or curve not in curves:
        raise ValueError(f"crv is none of {', '.join(curves)}")
    return curves[curve]


def access_token_hash(token: str) -> str:
    """``ath``: base64url of the SHA-256 of an access token (RFC 9449 §4.2). `ValueError` where it is not ASCII."""
    return encode_base64url(hashlib.sha256(token.encode("ascii")).digest())
