"""`Introspection`: tokens that only the authorization server can read (RFC 7662).

Theory of operation
-------------------

One token takes these steps:

1. What can't be a token is rejected without asking: empty, too long, or not printable ASCII.
2. `IntrospectionCache` (`introspection_cache`) may know it. `fresh` skips this step and nothing else.
3. `IntrospectionEndpoint` (`introspection_endpoint`) asks the server, or raises `AuthUnavailable`.
4. `ResponseRules` (`introspection_response`) turns the response into an identity, or raises.
5. The cache stores the identity or the rejection. A 503 is never stored: the next request asks again.
6. ``user=`` looks up the user, each time.

Invariants: a token never goes into a log, a reason or a stored exception, and no failure of the server is a 401.
"""

import copy
import os
import time
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from flask import Flask

from ..arguments import explains_arguments, validated_seconds
from ..errors import AuthUnavailable, ConfigurationError, InvalidCredentials
from ..http_client.client import Fetcher
from ..http_client.client_certificate import CertificateFiles
from ..identity import Identity
from ..schemes.state_access import warn_of_switch
from ..wire.credentials import token_digest
from ..wire.grammar import MAX_CREDENTIAL_LIMIT
from ..wire.jws import unverified_issuer
from .claims import (
    DetailsDemand,
    RolesPaths,
    check_parts,
    claim_path,
    validated_callable,
    validated_count,
    validated_details_demand,
    validated_names,
    with_user,
)
from .client_authentication import ClientAuth, ClientOptions, client_credentials
from .discovery import check_issuer
from .introspection_cache import IntrospectionCache
from .introspection_endpoint import IntrospectionEndpoint, IntrospectionRefused, Post
from .introspection_response import ResponseRules

if TYPE_CHECKING:
    from ..jose.signing_keys import KeySource, SigningKey

__all__ = ["Introspection", "IntrospectionRefused"]

MAX_ANSWER: Final = 64 * 1024
"""Longest response, in bytes."""
TIMEOUT: Final = 2.0
"""Longest time for a response, in seconds."""
MAX_CACHE: Final = 600
"""Longest time for which the response "active" may be cached, in seconds."""
MAX_NEGATIVE_CACHE: Final = 10
"""Longest time for which a rejection may be cached, in seconds."""


class Introspection:
    """A loader that asks the authorization server about each token.

    For example::

        Bearer(Introspection("https://id.example.com/introspect", client_id="api", client_secret=…,
                             audience="https://api.example.com"))

    A token is valid if the server says ``active: true`` and the rest of the response agrees: ``exp`` and ``nbf`` hold,
    ``aud`` names this API, ``iss`` is ``issuer`` if the response has one, and nothing marks a refresh token or an ID
    token. If the server doesn't respond, rejects these client credentials, or sends a response that isn't one of RFC
    7662, that is `AuthUnavailable` (503), never a 401.

    A revoked token is accepted until the cached response expires; see `fresh` for views that can't accept that. The
    cache is in this process and holds SHA-256 digests of tokens.

    Example:
        Ask an authorization server about each token::

            from flask_unauthorized import Auth, Bearer
            from flask_unauthorized.loaders.introspection import Introspection

            tokens = Introspection(
                "https://id.example.com/introspect",
                client_id="notes", client_secret="…", audience="https://api.example.com",
            )
            auth = Auth(Bearer(tokens), app=app)

    Args:
        endpoint: The URL of the introspection endpoint. Without it, the metadata of ``issuer`` names it.
        audience: The names of this API, one of which must be in ``aud``. ``None``: any audience, for servers that name
            none.
        client_id: The client id of this API at the server.
        client_secret: Its secret.
        client_auth: How this API logs in to the server: ``"client_secret_basic"`` or ``"client_secret_post"`` with the
            secret, ``"private_key_jwt"`` with ``key`` (RFC 7523 §2.2), or ``"tls_client_auth"`` or
            ``"self_signed_tls_client_auth"`` with ``certificate`` (RFC 8705 §2).
        key: The private key for ``"private_key_jwt"``: a path, PEM, a JWK, a key of ``cryptography``, or what
            `flask_unauthorized.jose.private_key` returns. Needs the extra ``jwt``.
        assertion_audience: ``aud`` of what ``key`` signs, default ``issuer``. Only for servers that demand another
            value, such as the URL of their token endpoint.
        certificate: The certificate of this API for mutual TLS: the files of the chain and of the private key in PEM,
            and the password of an encrypted key. They are read again when they change.
        access_token: Authenticates this API in place of id and secret: a ``str``, or a callable that returns one.
        issuer: The issuer of the tokens.
        subject: The member of the response that names the caller.
        roles_claim: Where the roles are: ``"roles"``, ``"realm_access.roles"``, a tuple of names, or a list of these.
        user: Looks up your user object for an `Identity`; ``None`` rejects. It may be async, and is called each time.
        authorization_details: ``"demand"``: views that don't look at them refuse tokens that carry them, see `JWT`.
        cache: How long an accepted token is cached, but never past ``exp``: 0 (not at all) to 600 seconds, as a number
            or a `timedelta`.
        negative_cache: How long a rejected token is cached: 0 to 10 seconds, as a number or a `timedelta`.
        cache_size: The largest number of entries of each of the two kinds.
        max_concurrent: How many tokens the server is asked about at a time. Further requests get 503.
        timeout: Longest time for one request, in seconds.
        ca_file: A file of certificate authorities in PEM, in place of the system's.
        allow_http_loopback: Whether ``http://localhost`` is allowed, for demos and tests.
        proxy: The URL of an HTTP proxy for ``https://`` URLs, ``"http://proxy.example:3128"`` or
            ``"http://user:password@proxy.example:3128"``. It isn't taken from the environment.
        post: Your own callable in place of the HTTP client. It gets URL, form and headers and returns the body, and has
            to limit time and size itself. It raises `IntrospectionRefused` if the server responds with another status
            than 200; an `OSError` counts as an outage.

    Raises:
        ConfigurationError: A value is out of range, or values don't fit together.
        TypeError: A value has the wrong type.
    """

    @explains_arguments(
        audience='write audience="https://api.example.com", the aud of tokens for this API; audience=None takes any',
    )
    def __init__(
        self,
        endpoint: str | None = None,
        *,
        audience: str | Collection[str] | None,
        client_id: str | None = None,
        client_secret: str | None = None,
        client_auth: ClientAuth = "client_secret_basic",
        key: "SigningKey | KeySource | None" = None,
        assertion_audience: str | None = None,
        certificate: CertificateFiles | None = None,
        access_token: str | Callable[[], str] | None = None,
        issuer: str | None = None,
        subject: str = "sub",
        roles_claim: RolesPaths | None = None,
        user: Callable[[Identity], Any] | None = None,
        authorization_details: DetailsDemand = None,
        cache: float | timedelta = 60,
        negative_cache: float | timedelta = 10,
        cache_size: int = 10_000,
        max_concurrent: int = 32,
        timeout: float = TIMEOUT,
        ca_file: str | os.PathLike[str] | None = None,
        allow_http_loopback: bool = False,
        proxy: str | None = None,
        post: Post | None = None,
    ) -> None:
        for name, value in (("proxy", proxy), ("certificate", certificate)):
            if post is not None and value is not None:
                raise ConfigurationError(
                    f"Introspection has {name}= and post=, which posts by itself: give one of them"
                )
        max_concurrent = validated_count("max_concurrent", max_concurrent)
        fetcher = Fetcher(
            limit=MAX_ANSWER,
            timeout=timeout,
            ca_file=ca_file,
            allow_http_loopback=allow_http_loopback,
            keep_alive=max_concurrent,
            proxy=proxy,
            certificate=certificate,
        )
        if endpoint is not None:
            if post is None:  # a post= of the app's own decides about the URL
                fetcher.check_certified(endpoint)
        elif issuer is None or post is not None:
            raise ConfigurationError(
                "Introspection needs the endpoint's URL, or, without post=, the issuer= whose metadata names it"
            )
        else:
            check_issuer(issuer, allow_http_loopback=allow_http_loopback)
        self._endpoint = IntrospectionEndpoint(
            endpoint,
            issuer=issuer if endpoint is None else None,
            credentials=client_credentials(
                ClientOptions(
                    client_id,
                    client_secret,
                    client_auth,
                    access_token,
                    key,
                    issuer if assertion_audience is None else assertion_audience,
                    certificate is not None,
                )
            ),
            fetcher=fetcher,
            post=validated_callable("post", post),
            max_concurrent=max_concurrent,
        )
        audiences = None if audience is None else validated_names("audience", audience)
        restricts = validated_details_demand(authorization_details)
        self._rules = ResponseRules(audiences, issuer, subject, claim_path(roles_claim), restricts)
        self._issuer = issuer
        self._user = validated_callable("user", user)
        self._cache = IntrospectionCache(
            validated_seconds("cache", cache, most=MAX_CACHE),
            validated_seconds("negative_cache", negative_cache, most=MAX_NEGATIVE_CACHE),
            validated_count("cache_size", cache_size),
        )
        self._skips_cache = False

    def fresh(self) -> "Introspection":
        """Return a loader that asks the server about a token each time, and replaces the cached response.

        It is for views where a revoked token must not be accepted for another second. Put
        ``careful = Bearer(introspection.fresh())`` beside ``bearer = Bearer(introspection)`` in one `Auth`. Write
        ``via=careful`` on those views and ``via=bearer`` on the others, or once ``auth.protect(app, via=bearer)``.
        """
        twin = copy.copy(self)
        twin._skips_cache = True
        return twin

    def __call__(self, token: str) -> Identity:
        """Return the identity of ``token``.

        Raises:
            InvalidCredentials: The token is not valid, or not for this app.
            ExpiredCredentials: It has expired.
            AuthUnavailable: The authorization server can't be asked, or its response can't be used.
        """
        if not _can_be_token(token):
            raise InvalidCredentials(
                reason=f"the token has {len(token)} characters, expected 1 to {MAX_CREDENTIAL_LIMIT} of printable ASCII"
            )
        digest = token_digest(token)
        identity = None if self._skips_cache else self._cache.get(digest)
        if identity is None:
            identity = self._ask(token, digest)
        del token  # what follows may fail, and a traceback shows locals
        return identity if self._user is None else with_user(identity, self._user)

    def recognizes(self, token: str) -> bool:
        """Return ``False`` for what can't be a token, and for a JWT that names another issuer than ``issuer``.

        A scheme with several loaders doesn't ask the server about those. All other tokens may be the server's.
        """
        claimed = unverified_issuer(token) if self._issuer is not None else None
        return _can_be_token(token) and claimed in (None, self._issuer)

    def check_app(self, app: Flask) -> None:
        """Check ``user=`` before an app's first request."""
        check_parts(app, self._user)
        if self._rules.audiences is None:
            warn_of_switch(
                app,
                "Introspection(audience=None): a token that the server issued for any other API opens this one: set "
                "audience= to the name of this API, if the server puts aud into its responses",
            )

    def _ask(self, token: str, digest: bytes) -> Identity:
        number = self._cache.begin(digest)
        try:
            response = self._endpoint.ask(token)
            try:
                identity = self._rules.identity(response, time.time())
            except InvalidCredentials as refusal:
                self._cache.put_refusal(digest, refusal, number)
                raise
            except AuthUnavailable as error:
                self._endpoint.record_bad_response(error)
                raise
            self._cache.put(digest, identity, number)
            return identity
        finally:
            self._cache.end(digest)

    def __repr__(self) -> str:
        return f"<{self._endpoint.name[0].upper()}{self._endpoint.name[1:]}>"


def _can_be_token(token: str) -> bool:
    return 0 < len(token) <= MAX_CREDENTIAL_LIMIT and token.isascii() and token.isprintable()
