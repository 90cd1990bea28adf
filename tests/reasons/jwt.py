"""JWT: the table of `tests/jose`, and what the fetched keys of an issuer add to it."""

import json
from typing import Any

from flask_unauthorized import AuthError
from flask_unauthorized.jose import public_key_pem
from flask_unauthorized.loaders.jwks import EARLY_FETCHES, JWKS, MAX_WAITING, _Fetch
from flask_unauthorized.loaders.jwt import JWT, Issuers
from tests.canaries import register
from tests.jose.conftest import jwt
from tests.jose.signing import AUDIENCE, ISSUER, jwk, pem
from tests.loaders.test_jwt_reasons import TABLE, headed, of

from . import Row
from .refusing import call_of, clock

URL = "https://id.example.com/keys"


def refused(loader: Any, token: str) -> Any:
    def run() -> AuthError:
        register(token, *(part for part in token.split(".")[1:] if len(part) > 20))
        with clock():
            return call_of(loader, token)()

    return run


class Published:
    """The keys of an issuer, by a function that stands for its server."""

    def __init__(self) -> None:
        self.down = False
        self.keys = JWKS(URL, fetch=self._fetch)

    def _fetch(self, url: str) -> bytes:
        if self.down:
            raise ConnectionError("s3cret-password-of-ada")
        return json.dumps({"keys": [jwk("ES256", kid="k1")]}).encode()

    def refuses(self, token: str) -> AuthError:
        return refused(JWT(ISSUER, audience=AUDIENCE, keys=self.keys), token)()

    def exhaust(self) -> None:
        for number in range(EARLY_FETCHES + 1):
            try:
                self.keys.candidates(f"invented {number}", "ES256")
            except AuthError:
                break


def down() -> AuthError:
    published = Published()
    published.down = True
    return published.refuses(headed())


def down_since() -> AuthError:
    published = Published()
    published.keys.candidates("k1", "ES256")
    published.down = True
    return published.refuses(headed(kid="k2"))


def exhausted(kid: str | None, algorithm: str) -> Any:
    def run() -> AuthError:
        published = Published()
        published.exhaust()
        return call_of(published.keys.candidates, kid, algorithm)()

    return run


def fetched_by_others() -> AuthError:
    """Another request fetches the keys, and as many as may wait for it do."""
    published = Published()
    tried = published.keys.candidates("k1", "ES256")
    fetch = published.keys._under_way = _Fetch(published.keys._clock())
    fetch.waiting = MAX_WAITING
    return call_of(published.keys.newer, "k1", "ES256", tried)()


def of_several_issuers() -> AuthError:
    other = JWT("https://b.example", audience=AUDIENCE, keys=public_key_pem(pem("ES256")))
    return refused(Issuers(jwt(), other), of(iss="https://c.example"))()


SHOWN = ("azp", "appid", "cid", "client_id", "tid", "token_use", "typ")
"""Claims that name a client, a tenant or a kind of token. They hold no secret, so a reason may show them."""

ROWS = [
    *(
        Row(
            f"JWT: {name} that another one must be",
            refused(jwt(required_claims={name: "console"}), of(**{name: "robot"})), 401,
            f"claim '{name}' is 'robot', expected 'console': required_claims= demands it",
        )
        for name in SHOWN
    ),
    *(Row(f"JWT: {name}", refused(jwt(**options), token), 401, expected)
      for name, (token, options, expected) in TABLE.items()),
    Row(
        "JWT: an empty typ", refused(jwt(), headed(typ="")), 401,
        "typ is '', expected 'at+jwt': the issuer must name the type",
    ),
    Row(
        "Issuers", of_several_issuers, 401,
        f"iss is 'https://c.example', expected one of ['{ISSUER}', 'https://b.example']: give Issuers a JWT for it",
    ),
    Row("JWKS: down", down, 503, f"JWKS {URL}: fetch raised ConnectionError"),
    Row("JWKS: down since", down_since, 503, f"JWKS {URL}: fetch raised ConnectionError"),
    Row(
        "JWKS: a key id too many", exhausted("k9", "ES256"), 503,
        f"JWKS {URL}: no key has kid 'k9', and 5 early fetches in 60 s were made",
    ),
    Row(
        "JWKS: an algorithm too many", exhausted(None, "RS256"), 503,
        f"JWKS {URL}: no key serves the algorithm, and 5 early fetches in 60 s were made",
    ),
    Row(
        "JWKS: fetched by others", fetched_by_others, 503,
        f"JWKS {URL}: a request to it is under way, and no more callers may wait for it",
    ),
]  # fmt: skip
