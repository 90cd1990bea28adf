"""flask_unauthorized with signed tokens: verified on each request, and cached."""

from collections.abc import Callable, Mapping

from flask import Flask

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.jose import Key, hmac_key, public_key_pem
from flask_unauthorized.loaders.jwt import JWT

from .base import Contender, Environ, View, bearer
from .ours import demanding
from .signed import ALGORITHMS, AUDIENCE, ISSUER, KID, SECRET, TITLES, public_pem, tokens

CASES = ("accepted", "held", "missing", "wrong", "forbidden")


def _key(algorithm: str) -> Key:
    if algorithm == "HS256":
        return hmac_key(SECRET, kid=KID)
    return public_key_pem(public_pem(algorithm), algorithm=algorithm, kid=KID)


def _guard(algorithm: str, cache_size: int = 0) -> Callable[[Flask, View, str], View]:
    def guard(app: Flask, view: View, demand: str) -> View:
        loader = JWT(ISSUER, audience=AUDIENCE, keys=_key(algorithm), algorithms=[algorithm], cache_size=cache_size)
        return demanding(Auth(Bearer(loader), app=app), demand)(view)

    return guard


def _requests(algorithm: str) -> Callable[[Flask], Mapping[str, Environ]]:
    return lambda app: {name: bearer(token) for name, token in tokens(algorithm).items()}


CONTENDERS = (
    *(
        Contender(
            f"ours_jwt.{name.lower()}",
            f"**flask_unauthorized, JWT {TITLES[name]}**",
            _guard(name),
            CASES,
            requests=_requests(name),
        )
        for name in ALGORITHMS
    ),
    *(
        Contender(
            f"ours_jwt.{name.lower()}-cached",
            f"**flask_unauthorized, JWT {TITLES[name]}, cached**",
            _guard(name, 1000),
            ("accepted",),
            requests=_requests(name),
        )
        for name in ALGORITHMS
    ),
)
