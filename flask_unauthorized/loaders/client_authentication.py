"""How this app logs in to an authorization server: OAuth 2.0 client authentication.

Theory of operation
-------------------

`client_credentials` decides at set-up, and returns a callable that adds the credentials to each request:

===============================  ===================================================================================
``client_secret_basic``          id and secret in ``Authorization`` (RFC 6749 §2.3.1)
``client_secret_post``           id and secret in the form
``private_key_jwt``              an assertion in the form, signed by the app's private key (RFC 7523 §2.2)
``tls_client_auth``,             the id in the form; the certificate of the connection proves it (RFC 8705 §2)
``self_signed_tls_client_auth``
``access_token=``                an access token in ``Authorization`` (RFC 7662 §2.1)
===============================  ===================================================================================

Each request gets an assertion of its own. Strict servers accept a ``jti`` once (RFC 7523 §3), and signing takes less
time than the request. An assertion is valid for `ASSERTION_LIFETIME` seconds, so a stolen one can't be used later.

``aud`` of an assertion is the issuer identifier of the server, as FAPI 2.0 and draft-ietf-oauth-rfc7523bis demand. With
the URL of an endpoint, a hostile server could name that URL in its own metadata, and use the assertion elsewhere. RFC
7523 §3 also allows the URL of the token endpoint, which some older servers demand.

Invariant: no secret, key or assertion is in a ``repr``, in an error or in the log.
"""

import base64
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import quote_plus

from ..errors import ConfigurationError
from ..errors.text import shown

if TYPE_CHECKING:
    from ..jose.signing_keys import KeySource, SigningKey

ClientAuth = Literal[
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
]
"""The values of ``client_auth``, as the IANA registry of token endpoint authentication methods names them."""
Credentials = Callable[[dict[str, str], dict[str, str]], None]
"""Adds this client's credentials to a form and its headers."""

ASSERTION_LIFETIME: Final = 60
"""How long an assertion is valid, in seconds."""
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""``client_assertion_type`` (RFC 7523 §2.2)."""
JWT_TYPE: Final = "client-authentication+jwt"
"""``typ`` of an assertion (draft-ietf-oauth-rfc7523bis, RFC 8725 §3.11). Some servers demand it, others ignore it."""

_SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")
_TLS_METHODS: Final = ("tls_client_auth", "self_signed_tls_client_auth")
_METHODS: Final = (*_SECRET_METHODS, "private_key_jwt", *_TLS_METHODS)


class ClientOptions(NamedTuple):
    """What a developer says about how the app logs in; see `Introspection`."""

    client_id: str | None
    client_secret: str | None
    client_auth: str
    access_token: str | Callable[[], str] | None
    key: "SigningKey | KeySource | None"
    assertion_audience: str | None
    has_certificate: bool

    def __repr__(self) -> str:
        return f"<ClientOptions {self.client_auth!a}>"


def client_credentials(given: ClientOptions) -> Credentials:
    """Return what authenticates this client at the endpoint.

    Raises:
        ConfigurationError: Values are missing, or don't fit together.
        TypeError: A value has the wrong type.
    """
    if given.client_auth not in _METHODS:
        # It may be a key in the wrong place, so its end isn't shown.
        raise ConfigurationError(f"client_auth={shown(given.client_auth)}: choose from {', '.join(_METHODS)}")
    if given.key is not None and given.client_auth != "private_key_jwt":
        raise ConfigurationError(
            f'key= is for client_auth="private_key_jwt", and client_auth is {given.client_auth!a}: change one of them'
        )
    if given.access_token is not None:
        if given.client_id is not None or given.client_secret is not None or given.key is not None:
            raise ConfigurationError("give client_id and client_secret, or access_token, not both")
        return _bearer(given.access_token)
    if given.client_auth in _SECRET_METHODS:
        return _secret(given)
    client_id = _validated("client_id", given.client_id, f"client_auth={given.client_auth!a} needs client_id=")
    if given.client_secret is not None:
        raise ConfigurationError(f"client_auth={given.client_auth!a} sends no client_secret=: leave it out")
    if given.client_auth == "private_key_jwt":
        return _assertion(client_id, given)
    if not given.has_certificate:
        raise ConfigurationError(
            f"client_auth={given.client_auth!a} needs the certificate of this app: write "
            'certificate=("/etc/app/tls.crt", "/etc/app/tls.key")'
        )
    return _in_form({"client_id": client_id})  # RFC 8705 §2: client_id is required


def _secret(given: ClientOptions) -> Credentials:
    if given.client_id is None or given.client_secret is None:
        raise ConfigurationError(
            "the endpoint must know who asks (RFC 7662 §2.1): give client_id and client_secret, or client_id with "
            'client_auth="private_key_jwt" and key=, or access_token'
        )
    client_id = _validated("client_id", given.client_id, "")
    client_secret = _validated("client_secret", given.client_secret, "")
    if given.client_auth == "client_secret_basic":
        return _basic(client_id, client_secret)
    return _in_form({"client_id": client_id, "client_secret": client_secret})


def _validated(name: str, value: str | None, missing: str) -> str:
    if value is None:
        raise ConfigurationError(missing)
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    if not value or value != value.strip():
        raise ConfigurationError(f"{name} is empty or has white space around it, perhaps a line end: strip it")
    return value


def _basic(client_id: str, client_secret: str) -> Credentials:
    """RFC 6749 §2.3.1: both parts are form-encoded first."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    value = "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")

    def add(form: dict[str, str], headers: dict[str, str]) -> None:
        headers["Authorization"] = value

    return add


def _in_form(fields: dict[str, str]) -> Credentials:
    def add(form: dict[str, str], headers: dict[str, str]) -> None:
        form.update(fields)

    return add


def _assertion(client_id: str, given: ClientOptions) -> Credentials:
    if given.key is None:
        raise ConfigurationError('client_auth="private_key_jwt" needs key=, the private key that the server knows')
    # Imported here, so that apps without private_key_jwt need not install the extra, nor load it.
    from ..jose.signing_keys import SigningKey, private_key

    key = given.key if isinstance(given.key, SigningKey) else private_key(given.key)
    audience = _validated(
        "assertion_audience",
        given.assertion_audience,
        'client_auth="private_key_jwt" needs the server\'s issuer identifier for aud: give issuer=, or '
        "assertion_audience= if the server demands another value",
    )

    def add(form: dict[str, str], headers: dict[str, str]) -> None:
        now = int(time.time())
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + ASSERTION_LIFETIME,
        }
        form["client_assertion_type"] = ASSERTION_TYPE
        form["client_assertion"] = key.sign(claims, typ=JWT_TYPE)

    return add


def _bearer(access_token: str | Callable[[], str]) -> Credentials:
    if isinstance(access_token, str) and (not access_token or access_token != access_token.strip()):
        raise ConfigurationError("access_token is empty or has white space around it, perhaps a line end: strip it")
    if not isinstance(access_token, str) and not callable(access_token):
        raise TypeError(f"access_token must be a str or a callable that returns one, not {type(access_token).__name__}")

    def add(form: dict[str, str], headers: dict[str, str]) -> None:
        headers["Authorization"] = f"Bearer {access_token if isinstance(access_token, str) else access_token()}"

    return add
