"""Bearer tokens (RFC 6750), and the challenges of all schemes that take OAuth access tokens.

`Bearer.read` finds the token. It reads ``Authorization``, and if the app says so, a form or the query as well:

1. All places are read before one is used. More than one token is malformed (RFC 6750 §2), because the extension can't
   know which one was meant.
2. A form counts under the conditions of RFC 6750 §2.2 only: URL-encoded, ASCII, in a method with a body. Its length is
   limited before it is parsed.
3. The token must have the b64token alphabet (RFC 6750 §2.1). So a loader never gets spaces, quotes or control
   characters, which could end up in a log or in a query of a database.

The check of the alphabet stands twice: in `check_token`, which `DPoP` uses too, and in line in `Bearer.read`, which is
on the path of every accepted request. A table of octets costs a third of a regular expression.

A bearer token proves nothing about its sender. So `Bearer.prove` refuses a token that is bound to a key. It accepts one
that is bound to a certificate only if the app says how to find the client's certificate (RFC 8705).
"""

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Request

from ..arguments import explains_arguments, validated_flag
from ..errors import (
    AuthError,
    ConfigurationError,
    InvalidCredentials,
    MalformedCredentials,
    StepUpRequired,
)
from ..identity import Identity
from ..wire import Challenge
from ..wire.grammar import is_token
from ..wire.rules import SPELLINGS
from .base import (
    MIN_CREDENTIAL_LIMIT,
    Loader,
    Scheme,
    Secret,
    call_loader,
    check_size,
    demand_params,
    error_params,
    query_values,
    single_value,
)
from .confirmation import KEY, CertificateSource, check_certificate, check_source, validated_confirmation, vary_fields
from .state_access import BodyNotRead, max_credentials, may_read_body, warn_of_switch

MAX_FORM = 64 * 1024
"""Longest form that is searched for a token, in bytes. If a credential may be longer than half of it, twice as much."""

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
_IS_IN_ALPHABET = bytes(octet in _ALPHABET for octet in range(256))
"""A table for ``bytes.translate``: 1 for octets of the alphabet, 0 for all others."""
_PARAM = "access_token"
_RFC = "https://www.rfc-editor.org/rfc/rfc6750#section-3.1"
SPECIFICATION: Final = {
    error: (f"RFC 6750 §3.1, {error}", _RFC) for error in ("invalid_request", "invalid_token", "insufficient_scope")
}
# Parameters that the extension sends itself (RFC 6750 §3, RFC 9470 §3, RFC 9728 §5.1).
_RESERVED_PARAMS = frozenset(
    {"realm", "scope", "error", "error_description", "error_uri", "acr_values", "max_age", "resource_metadata"}
)

if TYPE_CHECKING:
    from ..throttle.throttle import Throttle
# Names of schemes with other credentials. Clients would not send a bearer token under them.
# Some services do take one as "Authorization: ApiKey".
_OTHER_SCHEMES = (SPELLINGS.keys() | {"ntlm"}) - {"bearer", "apikey"}


class Bearer(Scheme[Secret]):
    """Authenticate by a bearer token (RFC 6750).

    Clients send ``Authorization: Bearer <token>`` (§2.1). The loader gets the token, a ``str`` of the b64token
    alphabet. A token that is bound to a key (`Identity.confirmation`) is refused. More than one token in a request is
    malformed (400).

    Example:
        Look tokens up in a table of your own::

            from flask_unauthorized import Auth, Bearer

            bearer = Bearer()
            auth = Auth(bearer, app=app)

            @bearer.loader
            def load(token):
                found = find_token(token)
                return found.owner if found else None

    Args:
        loader: Gets the token, returns the caller.
        *more_loaders: Loaders for other kinds of tokens. They are asked in this order, and the first that doesn't
            reject the token decides. A loader's method ``recognizes``, if it has one, says which it isn't asked for.
        realm: The scheme's own realm. Default: that of the app.
        form: Also read ``access_token`` from a form (RFC 6750 §2.2).
        query: Also read ``access_token`` from the URL (RFC 6750 §2.3). The RFC advises against it, because URLs end up
            in logs.
        certificate: A function that finds the client's certificate in the request, see
            `flask_unauthorized.certificates`. A token that is bound to this certificate is valid (RFC 8705 §3).
        bound_only: Refuse tokens that aren't bound to the client's certificate. ``Auth(bound_only=True)`` sets it for
            all schemes.
        name: Another name for the scheme, if your clients send one. ``Bearer(load, name="Token")`` reads
            ``Authorization: Token <token>``, and challenges for ``Token``.
        params: More parameters of the challenge, such as
            ``{"authorization_uri": "https://login.example.com/authorize"}`` for clients of Microsoft.
        throttle: Limits on failed attempts: see `flask_unauthorized.throttle`.
        openapi: The Security Scheme Object for OpenAPI documents, such as ``{"type": "openIdConnect",
            "openIdConnectUrl": "https://id.example.com/.well-known/openid-configuration"}``. Default: ``http`` with
            ``bearer``.

    Raises:
        ConfigurationError: If the name isn't a token or belongs to another scheme, if a parameter can't be sent or is
            one that the extension sends itself, or if ``bound_only`` has no ``certificate``.
        TypeError: If a value has the wrong type.
    """

    name = "Bearer"
    oauth = True
    credential_kind = "token"
    needs_loader = True
    cacheable_challenges = True
    specification = SPECIFICATION
    _credential = "the token"

    @explains_arguments(
        scheme='did you mean name? name="Token" is another name of the scheme',
        header='Bearer reads Authorization. For a field of its own, write APIKey(header="X-Token")',
    )
    def __init__(
        self,
        loader: Loader | None = None,
        *more_loaders: Loader,
        realm: str | None = None,
        form: bool = False,
        query: bool = False,
        certificate: CertificateSource | None = None,
        bound_only: bool = False,
        name: str | None = None,
        params: Mapping[str, str] | None = None,
        throttle: "Throttle | None" = None,
        openapi: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(loader, *more_loaders, realm=realm, throttle=throttle)
        self._keep_openapi(openapi)
        if name is not None:
            self.name = name
        _check_name(self.name)
        self._params = _validated_params(self.name, {} if params is None else params)
        self.certificate = certificate
        self.varies = vary_fields(certificate)
        if validated_flag("bound_only", bound_only):
            self.demand_binding()
        self.form = validated_flag("form", form)
        self.query = validated_flag("query", query)
        self._reads_other_fields = form or query
        if self._reads_other_fields:
            locations = (("form", form), ("query", query))
            self.reads = (*self.reads, *((location, _PARAM) for location, is_on in locations if is_on))
        if self.curl_options is None:
            self.curl_options = ("-H", f"Authorization: {self.name} TOKEN")

    def check(self, app: Flask) -> None:
        super().check(app)
        check_source(self.certificate, app)
        if self.query:
            warn_of_switch(
                app,
                f"{type(self).__name__}(query=True): tokens in URLs end up in logs, histories and Referer fields, "
                "where others can copy them: let clients send Authorization, and remove query=True",
            )

    def read(self, request: Request, rest: str | None) -> Secret | None:
        if self._reads_other_fields:
            rest = self._single_token(request, rest)
        if rest is None:
            return None
        # This is check_token, in line.
        if not rest or not rest.isascii() or 0 in rest.encode().translate(_IS_IN_ALPHABET):
            _check_padded(self.name, rest)
        secret = Secret()
        secret.arguments = (rest,)
        return secret

    def _single_token(self, request: Request, rest: str | None) -> str | None:
        """Return the only token in all places that are read; `MalformedCredentials` if there are several."""
        sent = [] if rest is None else [rest]
        if self.query:
            sent += _unless_empty(query_values(request, _PARAM))
        if self.form and _has_form(request, max(MAX_FORM, 2 * max_credentials(request))):
            if may_read_body(request):
                sent += _form_values(request)
            elif not sent:
                raise BodyNotRead
        token = single_value(self.name, sent)
        if token is not None and len(token) > MIN_CREDENTIAL_LIMIT:
            check_size(f"{self.name}: the token", token, max_credentials(request))
        return token

    verify = call_loader

    def resource_members(self) -> Mapping[str, Sequence[str] | bool]:
        # "header" means "Authorization: Bearer" (RFC 6750 §2.1). Clients would send that, even if the name is another.
        methods = (("header", self.name.lower() == "bearer"), ("body", self.form), ("query", self.query))
        return {
            "bearer_methods_supported": [method for method, is_on in methods if is_on],
            "tls_client_certificate_bound_access_tokens": self.certificate is not None,
        }

    def demand_binding(self) -> None:
        if self.certificate is None and type(self).prove is Bearer.prove:
            raise ConfigurationError("bound_only=True needs certificate=...: without it Bearer proves nothing")
        super().demand_binding()

    def prove(self, identity: Identity, credentials: Secret, request: Request) -> None:
        if self.certificate is None:
            super().prove(identity, credentials, request)
        confirmation = validated_confirmation(self.name, identity.confirmation)
        if KEY in confirmation:
            raise InvalidCredentials(
                reason=f"{self.name}: the token is bound to a key (cnf has jkt), which {self.name} doesn't prove: send "
                "it under DPoP"
            )
        check_certificate(self, confirmation, self.certificate, request)

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        return oauth_challenges(self.name, realm, error, self._params)


def oauth_challenges(
    name: str, realm: str, error: AuthError | None, params: tuple[tuple[str, str], ...] = ()
) -> tuple[Challenge, ...]:
    """Return the challenge of a scheme that takes OAuth access tokens (RFC 6750 §3, RFC 9470 §3).

    Args:
        name: The name of the scheme.
        realm: The realm in force.
        error: What `Scheme.challenges` got.
        params: Further parameters. They come last.
    """
    demands = demand_params(error)
    if isinstance(error, StepUpRequired):
        demands, params = (), (*demands, *params)
    return _challenges(name, realm, demands, error_params(error), params)


@functools.lru_cache(maxsize=512)
def _challenges(
    name: str,
    realm: str,
    scopes: tuple[tuple[str, str], ...],
    error: tuple[tuple[str, str], ...],
    params: tuple[tuple[str, str], ...],
) -> tuple[Challenge, ...]:
    # MCP clients use the first "scope=" in the field, even inside error_description. So scope stands before it.
    return (Challenge(name, (("realm", realm), *scopes, *error, *params)),)


def _check_name(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {name!r}")
    if not is_token(name):
        raise ConfigurationError(f"name={name!a} is not a token: use letters, digits and - (RFC 9110 §11.1)")
    if name.lower() in _OTHER_SCHEMES:
        raise ConfigurationError(
            f"name={name!r} is another scheme, and its credentials aren't bearer tokens: use a name of your own, such "
            "as 'Token', or subclass Scheme"
        )


def _validated_params(name: str, params: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the parameters that a developer adds to the challenge, as pairs."""
    if not isinstance(params, Mapping):
        raise TypeError(f"params must be a mapping of parameter names to str, not {params!r}")
    for key in params:
        if isinstance(key, str) and key.lower() in _RESERVED_PARAMS:
            raise ConfigurationError(f"params has {key!r}, which the challenge says by itself: leave it out")
    try:
        Challenge(name, (("realm", ""), *params.items()))
    except ValueError as error:
        raise ConfigurationError(f"params={dict(params)!a} can't be sent: {error}") from None
    return tuple(params.items())


def check_token(name: str, token: str) -> None:
    """Refuse a token that isn't a b64token (RFC 6750 §2.1; RFC 9449 §7.1 for DPoP).

    Args:
        name: The name of the scheme, for the log.
        token: What the client sent.

    Raises:
        MalformedCredentials: If it is empty, or has characters outside the alphabet.
    """
    if not token or not token.isascii() or 0 in token.encode().translate(_IS_IN_ALPHABET):
        _check_padded(name, token)


def _unless_empty(values: list[str]) -> list[str]:
    """Return the values of one parameter. A parameter without a value counts as omitted (RFC 6749 §3.1)."""
    return [] if values == [""] else values


def _check_padded(name: str, token: str) -> None:
    """Refuse a token unless it is at least one character of the alphabet, followed by any number of ``=``."""
    body = token.rstrip("=")
    if not body or not body.isascii() or 0 in body.encode().translate(_IS_IN_ALPHABET):
        raise MalformedCredentials(
            reason=f"{name}: the token ({len(token)} characters) is not a b64token, expected characters of A-Z a-z 0-9 "
            "- . _ ~ + / and = at the end only (RFC 6750 section 2.1)"
        )


def _form_values(request: Request) -> list[str]:
    """Return the tokens in the form. One that isn't ASCII holds none (RFC 6750 §2.2)."""
    is_ascii = request.get_data(parse_form_data=False).isascii()
    return _unless_empty(request.form.getlist(_PARAM)) if is_ascii else []


def _has_form(request: Request, longest: int) -> bool:
    """Return whether the body is a form of at most ``longest`` bytes that may hold a token (RFC 6750 §2.2)."""
    if request.method in ("GET", "HEAD", "OPTIONS", "TRACE", "DELETE"):
        return False
    if request.mimetype != "application/x-www-form-urlencoded":
        return False
    return request.content_length is not None and request.content_length <= longest
