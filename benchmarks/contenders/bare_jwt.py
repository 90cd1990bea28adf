"""The signature of a token and nothing else of it, by `cryptography` alone: the floor under all that verify one."""

import base64
import functools
import hashlib
import hmac
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from flask import Flask, abort, request

from .base import Contender, Environ, View, bearer
from .signed import ALGORITHMS, SECRET, TITLES, private_key, tokens

Check = Callable[[bytes, bytes], None]


def check_of(algorithm: str) -> Check:
    """A check of signature and signed octets, which raises `InvalidSignature`."""
    if algorithm == "HS256":
        return _check_hmac
    key = private_key(algorithm).public_key()
    if algorithm == "EdDSA":
        return lambda proof, signed: key.verify(proof, signed)
    if algorithm == "RS256":
        return lambda proof, signed: key.verify(proof, signed, padding.PKCS1v15(), hashes.SHA256())

    def check(proof: bytes, signed: bytes) -> None:
        r, s = int.from_bytes(proof[:32], "big"), int.from_bytes(proof[32:], "big")
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))

    return check


def _check_hmac(proof: bytes, signed: bytes) -> None:
    if not hmac.compare_digest(hmac.digest(SECRET, signed, hashlib.sha256), proof):
        raise InvalidSignature


def _guard(algorithm: str) -> Callable[[Flask, View, str], View]:
    def guard(app: Flask, view: View, demand: str) -> View:
        check = check_of(algorithm)

        @functools.wraps(view)
        def wrapper() -> str:
            signed, _, proof = request.environ["HTTP_AUTHORIZATION"][7:].rpartition(".")
            try:
                check(base64.urlsafe_b64decode(proof + "=="), signed.encode())
            except InvalidSignature:
                abort(401)
            return view()

        return wrapper

    return guard


def _requests(algorithm: str) -> Callable[[Flask], Mapping[str, Environ]]:
    return lambda app: {name: bearer(token) for name, token in tokens(algorithm).items()}


CONTENDERS = tuple(
    Contender(
        f"bare_jwt.{name.lower()}",
        f"the signature alone, {TITLES[name]}",
        _guard(name),
        ("accepted",),
        requests=_requests(name),
        rival=f"ours_jwt.{name.lower()}",
    )
    for name in ALGORITHMS
)
