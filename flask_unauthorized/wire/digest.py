"""The arithmetic of Digest (RFC 7616 §3.4): hashes of names, secrets, requests and answers, all in lower-case hex."""

import functools
import hashlib
import re
import unicodedata
from contextlib import suppress
from typing import Final
from urllib.parse import unquote_to_bytes

HASHES: Final = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
"""The hash functions by their registered names (RFC 7616 §6.1), strongest first, with those of `hashlib`."""
ALGORITHMS: Final = tuple(name + variant for name in HASHES for variant in ("", "-sess"))
"""All values of ``algorithm``, strongest first."""

# Python's own function where it has one, for `hashlib.new` takes twice as long to find it.
_FUNCTIONS: Final = {
    algorithm: getattr(hashlib, name, None) or functools.partial(hashlib.new, name)
    for algorithm in ALGORITHMS
    for name in [HASHES[algorithm.removesuffix("-sess")]]
}
_EXTENDED = re.compile(r"([^']*)'[^']*'((?:%[0-9A-Fa-f]{2}|[A-Za-z0-9!#$&+.^_`|~-])*)")


def digest_hash(algorithm: str, octets: bytes) -> str:
    """H(octets) with the hash function of ``algorithm`` (RFC 7616 §3.2). Raises `ValueError` where Python lacks it."""
    hashed: str = _FUNCTIONS[algorithm](octets, usedforsecurity=False).hexdigest()
    return hashed


def base_algorithm(algorithm: str) -> str:
    """``algorithm`` without ``-sess``."""
    return algorithm.removesuffix("-sess")


def secret_hash(algorithm: str, name: str, realm: str, password: str) -> str:
    """H(name ":" realm ":" password), in NFC and UTF-8 (RFC 7616 §3.4.2, §4): what to store in place of a password.

    Within its realm it is worth as much as the password (§5.2), so keep it as safe.
    """
    return digest_hash(algorithm, _octets(f"{_nfc(name)}:{realm}:{_nfc(password)}"))


def name_hash(algorithm: str, name: str, realm: str) -> str:
    """H(name ":" realm), which a client sends in place of the name (RFC 7616 §3.4.4, ``userhash``)."""
    return digest_hash(algorithm, _octets(f"{_nfc(name)}:{realm}"))


def session_hash(algorithm: str, secret: str, nonce: str, cnonce: str) -> str:
    """H(A1) of a ``-sess`` algorithm (RFC 7616 §3.4.2), with the nonces of the request that opened the session."""
    return digest_hash(algorithm, _wire(f"{secret}:{nonce}:{cnonce}"))


def response_hash(
    algorithm: str, a1: str, *, method: str, uri: str, nonce: str, nc: str, cnonce: str, qop: str, body: str = ""
) -> str:
    """``response`` (RFC 7616 §3.4.1), or with an empty ``method`` ``rspauth`` (§3.5).

    ``a1`` is H(A1); ``body`` the hash of the body, which counts with ``qop="auth-int"`` alone (§3.4.3). What came in
    the field is a ``str`` of Latin-1 octets, as WSGI hands it over.
    """
    a2 = f"{method}:{uri}:{body}" if qop == "auth-int" else f"{method}:{uri}"
    hashed = digest_hash(algorithm, _wire(a2))
    return digest_hash(algorithm, _wire(f"{a1}:{nonce}:{nc}:{cnonce}:{qop}:{hashed}"))


def legacy_response_hash(algorithm: str, a1: str, *, method: str, uri: str, nonce: str) -> str:
    """``response`` of a client that knows no ``qop`` (RFC 2069 §2.1.2; RFC 7616 dropped it)."""
    hashed = digest_hash(algorithm, _wire(f"{method}:{uri}"))
    return digest_hash(algorithm, _wire(f"{a1}:{nonce}:{hashed}"))


def read_extended(value: str) -> str:
    """The text of ``username*`` (RFC 8187 §3.2): UTF-8 only. Raises `ValueError` for anything else."""
    match = _EXTENDED.fullmatch(value)
    if match is None or match[1].lower() != "utf-8":
        raise ValueError("not an extended value in UTF-8 (RFC 8187 §3.2)")
    return unquote_to_bytes(match[2]).decode("utf-8")


def read_name(value: str) -> str:
    """A user name as it came, octets as Latin-1: UTF-8 where it is, else Latin-1; in NFC."""
    with suppress(UnicodeError):
        value = value.encode("latin-1").decode("utf-8")
    return _nfc(value)


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _octets(text: str) -> bytes:
    return text.encode("utf-8")


def _wire(text: str) -> bytes:
    return text.encode("latin-1")
