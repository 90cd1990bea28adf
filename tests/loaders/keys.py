"""Keys as a server publishes them, and a clock that tests turn."""

import base64

from cryptography.hazmat.primitives.asymmetric import ec

from flask_unauthorized.loaders.jwks import JWKS
from tests.http_client.server import answer


def jwk(kid=None, **members):
    """A new public key on P-256 as JWK (RFC 7518 §6.2.1)."""
    return jwk_of(ec.generate_private_key(ec.SECP256R1()).public_key(), kid, **members)


def jwk_of(public, kid=None, **members):
    """A public key on P-256 as JWK."""
    numbers = public.public_numbers()
    x, y = (
        base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode() for number in (numbers.x, numbers.y)
    )
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, **({} if kid is None else {"kid": kid}), **members}


def key_set(*keys):
    """An answer with a set of keys."""
    return answer({"keys": list(keys)})


class Clock:
    """Stands still until it is turned."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now

    def turn(self, seconds):
        self.now += seconds


def jwks(server, clock, path="/keys", **options):
    """The keys of a server on loopback, by a clock of the test's."""
    keys = JWKS(server.url + path, allow_http_loopback=True, **options)
    keys._clock = clock
    return keys


def find_ids(keys, kid, algorithm="ES256"):
    """Return the ids of the keys that may have signed."""
    return [key.kid for key in keys.candidates(kid, algorithm)]


def wait_for_fetch(keys):
    """Wait for a fetch in the background."""
    under_way = keys._under_way
    assert under_way is None or under_way.done.wait(20)
