"""Keys and signatures (RFC 7515 to 7518). Needs the extra ``jwt``."""

try:
    import cryptography  # noqa: F401  # only for the message below; modules import what they use
    import jwt.algorithms  # noqa: F401  # the same
except ImportError as missing:
    raise ImportError(
        "flask_unauthorized.jose needs PyJWT and cryptography: pip install 'flask-unauthorized[jwt]'"
    ) from missing

from .engine import Engine, PyJWTEngine
from .jwk import public_key_jwk
from .key_selection import Keys, StaticKeys, select_keys
from .key_sets import read_key_set
from .keys import Key, hmac_key, public_key_pem
from .signing_keys import SigningKey, private_key

__all__ = [
    "Engine",
    "Key",
    "Keys",
    "PyJWTEngine",
    "SigningKey",
    "StaticKeys",
    "hmac_key",
    "private_key",
    "public_key_jwk",
    "public_key_pem",
    "read_key_set",
    "select_keys",
]
