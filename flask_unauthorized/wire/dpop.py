"""Normal URIs, thumbprints of keys and hashes of tokens, for DPoP proofs (RFC 9449)."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from .jws import JOSEError, decode_base64url, encode_base64url

MAX_URI: Final = 4096
"""Longest URI that is read, in bytes."""

# No part matches the character with which the next part begins, so that the expression never backtracks. It accepts
# more than RFC 3986, because browsers leave characters such as "|" and "[" in a path as they are.
_URI: Final = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[0-9a-z._~!$&'()*+,;=-]+)(?::([0-9]*))?(/[!$-;=@-\[\]-~]*)?(?:\?[!\"$-~]*)?(?:#[!-~]*)?",
    re.IGNORECASE,
)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

_REQUIRED_MEMBERS: Final = {"EC": ("x", "y"), "OKP": ("x",), "RSA": ("e", "n")}
# The octets of each coordinate, by type of key and curve (RFC 7518 §6.2, RFC 8037 §2).
_COORDINATE_SIZES: Final = {"EC": {"P-256": 32, "P-384": 48, "P-521": 66}, "OKP": {"Ed25519": 32, "Ed448": 57}}


def normal_uri(uri: str) -> str:
    """Return an http or https URI in normal form, without query and fragment.

    RFC 9449 §4.3 compares ``htu`` after the normalization of RFC 3986 §6.2.2 and §6.2.3.

    >>> normal_uri("HTTPS://API.Example.com:443/a/./b/../%7euser%2f?q=1#f")
    'https://api.example.com/a/~user%2F'

    Raises:
        ValueError: If it has another scheme, a user or password, other characters than printable ASCII, a ``%`` without
            two hex digits, or more than `MAX_URI` bytes.
    """
    match = _URI.fullmatch(uri) if len(uri) <= MAX_URI else None
    if match is None:
        raise ValueError("not an http or https URI of printable ASCII without user and password (RFC 3986)")
    scheme, host, port = match[1].lower(), match[2].lower(), match[3]
    authority = host if port in (None, "", _DEFAULT_PORTS[scheme]) else f"{host}:{port}"
    return f"{scheme}://{authority}{normal_path(match[4] or '/')}"


def normal_path(path: str) -> str:
    """Return the path of an http or https URI in normal form.

    Raises:
        ValueError: If a ``%`` has no two hex digits.
    """
    if "%" in path:
        if _BROKEN_ESCAPE.search(path):
            raise ValueError("a % that no two hex digits follow (RFC 3986 §2.1)")
        path = _ESCAPE.sub(_normalize_escape, path)
    return _remove_dot_segments(path) if "/." in path else path


def _normalize_escape(escape: "re.Match[str]") -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _remove_dot_segments(path: str) -> str:
    """Return ``path`` without the segments ``.`` and ``..`` (RFC 3986 §5.2.4)."""
    segments = path.split("/")[1:]
    remaining: list[str] = []
    for segment in segments:
        if segment == "..":
            remaining[-1:] = []
        elif segment != ".":
            remaining.append(segment)
    if segments[-1] in (".", ".."):
        remaining.append("")
    return "/" + "/".join(remaining)


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the SHA-256 thumbprint of a public key, the ``jkt`` of ``cnf``.

    See RFC 7638 §3, RFC 8037 §2 and RFC 9449 §6.1.

    Example:
        Bind a token to the key of a client::

            from flask_unauthorized import Identity
            from flask_unauthorized.wire.dpop import thumbprint

            jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
            identity = Identity("ada", confirmation={"jkt": thumbprint(jwk)})
            assert thumbprint(jwk) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

    Args:
        jwk: The key as a JSON Web Key: of type EC, OKP or RSA.

    Returns:
        43 characters of base64url.

    Raises:
        ValueError: If the key has another type or curve, or a member that isn't canonical: see `key_members`.
    """
    members = key_members(jwk)
    # json.dumps() takes six times as long to write this JSON, in which nothing needs an escape.
    text = ",".join(f'"{name}":"{members[name]}"' for name in sorted(members))
    return encode_base64url(hashlib.sha256(f"{{{text}}}".encode("ascii")).digest())


def key_members(jwk: Mapping[str, Any]) -> dict[str, str]:
    """Return the required members of a public key (RFC 7638 §3.2).

    All others, such as ``kid`` and ``use``, are left out.

    Raises:
        ValueError: If the key has another type or curve than those of JWK, or a member that isn't canonical (padding,
            unused bits that are set, leading zeros, a coordinate of another length). Such a key would have several
            thumbprints.
    """
    kty = jwk.get("kty")
    if not isinstance(kty, str) or kty not in _REQUIRED_MEMBERS:
        raise ValueError("kty is none of EC, OKP and RSA")
    length = _coordinate_size(kty, jwk.get("crv"))
    for name in _REQUIRED_MEMBERS[kty]:
        try:
            octets = decode_base64url(jwk.get(name, ""))
        except JOSEError as error:
            raise ValueError(f"{name} is {error} (RFC 7515 §2)") from None
        if (len(octets) != length) if length else octets[:1] in (b"", b"\0"):
            raise ValueError(f"{name} has too many octets, or too few (RFC 7518 §6)")
    curve = {"crv": jwk["crv"]} if length else {}
    return {"kty": kty, **curve, **{name: jwk[name] for name in _REQUIRED_MEMBERS[kty]}}


def _coordinate_size(kty: str, curve: object) -> int:
    """Return the octets of each coordinate of a key on a curve, 0 for a key without a curve."""
    curves = _COORDINATE_SIZES.get(kty)
    if curves is None:
        return 0
    if not isinstance(curve, str) or curve not in curves:
        raise ValueError(f"crv is none of {', '.join(curves)}")
    return curves[curve]


def access_token_hash(token: str) -> str:
    """Return the SHA-256 of an access token in base64url: ``ath`` (RFC 9449 §4.2).

    Raises:
        ValueError: If the token isn't ASCII.
    """
    return encode_base64url(hashlib.sha256(token.encode("ascii")).digest())
