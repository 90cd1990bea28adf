"""The hashes of Digest (RFC 7616 §3.4), all in lower-case hex.

Two kinds of text are hashed. Names, realms and passwords are ``str``, and are hashed in NFC and UTF-8 (§4). What came
in a header field is a ``str`` of octets in Latin-1, as WSGI passes it on, and is hashed as these octets.
"""

import functools
import hashlib
import re
import unicodedata
from contextlib import suppress
from typing import Final
from urllib.parse import unquote_to_bytes

HASHES: Final = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
"""The hash functions by their registered names (RFC 7616 §6.1), with their names in `hashlib`, strongest first."""
ALGORITHMS: Final = tuple(name + variant for name in HASHES for variant in ("", "-sess"))
"""All values of ``algorithm``, strongest first."""

# Most algorithms have a function of their own in `hashlib`. It takes half as long as `hashlib.new`.
_FUNCTIONS: Final = {
    algorithm: getattr(hashlib, name, None) or functools.partial(hashlib.new, name)
    for algorithm in ALGORITHMS
    for name in [HASHES[algorithm.removesuffix("-sess")]]
}
_EXTENDED_VALUE: Final = re.compile(r"([^']*)'[^']*'((?:%[0-9A-Fa-f]{2}|[A-Za-z0-9!#$&+.^_`|~-])*)")


def digest_hash(algorithm: str, octets: bytes) -> str:
    """Return H(octets) with the hash function of ``algorithm`` (RFC 7616 §3.2).

    Raises:
        ValueError: If this Python has no such function.
    """
    hashed: str = _FUNCTIONS[algorithm](octets, usedforsecurity=False).hexdigest()
    return hashed


def base_algorithm(algorithm: str) -> str:
    """Return ``algorithm`` without ``-sess``."""
    return algorithm.removesuffix("-sess")


def secret_hash(algorithm: str, name: str, realm: str, password: str) -> str:
    """Return H(name ":" realm ":" password) (RFC 7616 §3.4.2).

    Apps store it in place of a password. Within its realm it is worth as much as the password (§5.2), so keep it as
    safe.
    """
    return digest_hash(algorithm, f"{_nfc(name)}:{realm}:{_nfc(password)}".encode())


def name_hash(algorithm: str, name: str, realm: str) -> str:
    """Return H(name ":" realm), which ``userhash`` puts in place of a name.

    See RFC 7616 §3.4.4.

    Example:
        Find users whose clients hide their names::

            from flask_unauthorized import Digest
            from flask_unauthorized.wire.digest import name_hash

            names = {name_hash("SHA-256", name, "notes"): name for name in ("ada", "tom")}
            digest = Digest(realm="notes", name_of_hash=lambda hashed, algorithm: names.get(hashed))

    Args:
        algorithm: ``"SHA-256"``, ``"SHA-512-256"`` or ``"MD5"``.
        name: The user's name.
        realm: The realm of the `Digest` scheme.

    Returns:
        The hash in lower-case hex.
    """
    return digest_hash(algorithm, f"{_nfc(name)}:{realm}".encode())


def session_hash(algorithm: str, secret: str, nonce: str, cnonce: str) -> str:
    """Return H(A1) of a ``-sess`` algorithm (RFC 7616 §3.4.2).

    Args:
        algorithm: The algorithm, with or without ``-sess``.
        secret: H(A1) of the algorithm without ``-sess``: see `secret_hash`.
        nonce: The server's nonce.
        cnonce: The ``cnonce`` of the first request with this nonce.
    """
    return digest_hash(algorithm, f"{secret}:{nonce}:{cnonce}".encode("latin-1"))


def response_hash(
    algorithm: str, a1: str, *, method: str, uri: str, nonce: str, nc: str, cnonce: str, qop: str, body: str = ""
) -> str:
    """Return the value of ``response`` (RFC 7616 §3.4.1).

    With an empty ``method`` it is the value of ``rspauth`` (§3.5). ``a1`` is H(A1). ``body`` is the hash of the body,
    which only ``qop="auth-int"`` covers (§3.4.3). The other arguments are the parameters of the same names.
    """
    a2 = f"{method}:{uri}:{body}" if qop == "auth-int" else f"{method}:{uri}"
    h_a2 = digest_hash(algorithm, a2.encode("latin-1"))
    return digest_hash(algorithm, f"{a1}:{nonce}:{nc}:{cnonce}:{qop}:{h_a2}".encode("latin-1"))


def legacy_response_hash(algorithm: str, a1: str, *, method: str, uri: str, nonce: str) -> str:
    """Return the value of ``response`` for a client without ``qop`` (RFC 2069 §2.1.2)."""
    h_a2 = digest_hash(algorithm, f"{method}:{uri}".encode("latin-1"))
    return digest_hash(algorithm, f"{a1}:{nonce}:{h_a2}".encode("latin-1"))


def read_extended(value: str) -> str:
    """Return the text of ``username*`` (RFC 8187 §3.2).

    Raises:
        ValueError: If the value has another form, or another encoding than UTF-8.
    """
    match = _EXTENDED_VALUE.fullmatch(value)
    if match is None or match[1].lower() != "utf-8":
        raise ValueError("not an extended value in UTF-8 (RFC 8187 §3.2)")
    return unquote_to_bytes(match[2]).decode("utf-8")


def read_name(value: str) -> str:
    """Return a user name in NFC, read as UTF-8 if it is valid UTF-8, else as Latin-1."""
    with suppress(UnicodeError):
        value = value.encode("latin-1").decode("utf-8")
    return _nfc(value)


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
