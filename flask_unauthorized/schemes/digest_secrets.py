"""From the name in Digest credentials to H(A1) and the caller (RFC 7616 §3.4.2).

1. If the client sent a hash in place of its name (``userhash``, §3.4.4), ``name_of_hash=`` of the scheme returns the
   name.
2. The loader gets the name and returns a secret, or a pair of a secret and the caller. If it doesn't know the name and
   the name has percent escapes, it is asked once more with the decoded name, which is what some clients mean.
3. H(A1) is the hash of name, realm and password, or the stored hash that the loader returned.

An unknown name must look like a wrong password, also by the time that the response takes. So `look_up` returns H(A1)
of a dummy password for it and ``None`` as the caller, and `Digest.verify` computes and compares a response for it too.
It rejects the credentials because there is no caller, whatever the comparison says.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from ..errors import InvalidCredentials
from ..wire.digest import base_algorithm, secret_hash
from .base import Scheme
from .digest_credentials import DigestCredentials

NameOfHash = Callable[[str, str], Any]
"""Returns the name behind a hash and an algorithm, ``None`` for an unknown hash. See ``Digest(name_of_hash=)``."""

_DUMMY_PASSWORD: Final = "the password of no user"
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
_HASH_LENGTHS: Final = {"SHA-512-256": 64, "SHA-256": 64, "MD5": 32}
"""Lengths of stored hashes, in hex digits."""


def look_up(
    scheme: Scheme[DigestCredentials], credentials: DigestCredentials, realm: str, name_of_hash: NameOfHash | None
) -> tuple[str, object | None]:
    """Return H(A1), without the session part of ``-sess``, and the caller.

    ``credentials.name`` becomes the name under which the loader knows the caller.

    Returns:
        H(A1) and the caller. The caller is what the loader returned beside the secret, ``True`` if it returned a secret
        only, and ``None`` for an unknown name.

    Raises:
        InvalidCredentials: If there is no secret for this algorithm.
        TypeError: If the loader or ``name_of_hash`` returned something else.
    """
    if credentials.userhash:
        name = _name_behind_hash(scheme, credentials, name_of_hash)
        found = None
        if name is not None:
            credentials.name = name
            found = scheme.load(name)
    else:
        found = scheme.load(credentials.name)
        if found is None and credentials.literal_name is None:  # Two names are tried anyway if there is a literal one.
            decoded = _percent_decoded(credentials.name)
            if decoded is not None:  # libcurl 8.23 percent-encodes names in URLs and hashes the decoded name.
                found = scheme.load(decoded)
                if found is not None:
                    credentials.name = decoded
    if found is None:
        return _h_a1(_DUMMY_PASSWORD, credentials, realm), None
    secret, caller = found if isinstance(found, tuple) and len(found) == 2 else (found, True)
    return _h_a1(secret, credentials, realm), caller


def _name_behind_hash(
    scheme: Scheme[DigestCredentials], credentials: DigestCredentials, name_of_hash: NameOfHash | None
) -> str | None:
    if name_of_hash is None:
        return None
    algorithm = base_algorithm(credentials.algorithm)
    name = scheme.call_option("name_of_hash=", name_of_hash, credentials.name, algorithm)
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name_of_hash returned a {type(name).__name__}: return the name, or None")
    return name


def _h_a1(secret: object, credentials: DigestCredentials, realm: str) -> str:
    algorithm = base_algorithm(credentials.algorithm)
    if isinstance(secret, str):
        if not secret:
            raise InvalidCredentials(
                reason="Digest: the loader returned an empty password for the name, expected one that isn't empty"
            )
        return secret_hash(algorithm, credentials.name, realm, secret)
    if not isinstance(secret, Mapping):
        raise TypeError(
            f"the loader of Digest returned a {type(secret).__name__} as the secret: return the password, the "
            "stored hashes by algorithm ({'SHA-256': …}), a pair of one of these and the user, or None"
        )
    stored = secret.get(algorithm)
    if stored is None:
        raise InvalidCredentials(
            reason=f"Digest: the loader returned {len(secret)} hashes and none for {algorithm}, which algorithms= "
            "offers: store one (see hashes())"
        )
    if not isinstance(stored, str) or _HEX.fullmatch(stored) is None or len(stored) != _HASH_LENGTHS[algorithm]:
        raise TypeError(f"the hash for {algorithm} that the loader of Digest returned is not one: see Digest.hashes()")
    return stored.lower()


def _percent_decoded(name: str) -> str | None:
    """Return ``name`` without its percent escapes, ``None`` if it has none."""
    if "%" not in name:
        return None
    decoded = unicodedata.normalize("NFC", unquote(name, errors="replace"))
    return decoded if decoded != name and decoded.isprintable() else None
