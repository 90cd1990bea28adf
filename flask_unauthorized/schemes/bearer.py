"""Bearer tokens (RFC 6750)."""

import functools
from collections.abc import Mapping, Sequence
from typing import Final

from flask import Request

from ..arguments import checked_flag, explains_arguments
from ..errors import (
    AuthError,
    ConfigurationError,
    InsufficientScope,
    InvalidCredentials,
    MalformedCredentials,
    StepUpRequired,
)
from ..identity import Identity
from ..wire import Challenge
from ..wire.grammar import is_token
from ..wire.rules import SPELLINGS
from .base import (
    SMALLEST_LIMIT,
    Loader,
    Scheme,
    Secret,
    ask_loader,
    check_size,
    error_params,
    query_values,
    single_value,
)
from .confirmation import KEY, CertificateSource, fields_of, known_methods, prove_certificate

MAX_FORM = 64 * 1024
"""Longest form that is searched for a token, in bytes; twice the size of the longest credential, where that is more."""

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
_ALLOWED = bytes(octet in _ALPHABET for octet in range(256))
_PARAM = "access_token"
_RFC = "https://www.rfc-editor.org/rfc/rfc6750#section-3.1"
SPECIFICATION: Final = {
    error: (f"RFC 6750 §3.1, {error}", _RFC) for error in ("invalid_request", "invalid_token", "insufficient_scope")
}
# What the challenge says by itself (RFC 6750 §3, RFC 9470 §3, RFC 9728 §5.1).
_OWN_PARAMS = frozenset(
    {"realm", "scope", "error", "error_description", "error_uri", "acr_values", "max_age", "resource_metadata"}
)
# Of these a client knows what to send, and it is no bearer token.
_OTHER_SCHEMES = (SPELLINGS.keys() | {"ntlm"}) - {"bearer"}


class Bearer(Scheme[Secret]):
    """``Authorization: Bearer <token>`` (RFC 6750 §2.1). The loader gets the token, a ``str`` of the b64token alphabet.

    ``form=True`` and ``query=True`` also take ``access_token`` from a form body (RFC 6750 §2.2) or from the URL (§2.3,
    which the RFC advises against: URLs end up in logs). More than one way in a request is 400.

    A token that is bound to a key (`Identity.confirmation`) is refused. With ``certificate``, a function that finds the
    client's certificate in the request (see `flask_unauthorized.certificates`), one that is bound to that certificate
    is good (RFC 8705 §3), and with ``bound_only=True`` no other one is.

    ``name`` is another name for the scheme, where clients send one: ``Bearer(load, name="Token")`` takes
    ``Authorization: Token <token>``, and challenges for ``Token``. ``params`` are added to the challenge, such as
    ``{"authorization_uri": "https://login.example.com/authorize"}`` for clients of Microsoft.

    Raises `ConfigurationError` or `TypeError` for a name that isn't a token or belongs to another scheme, and for
    parameters that can't be sent or that the challenge has by itself.
    """

    name = "Bearer"
    oauth = True
    needs_loader = True
    cacheable_challenges = True
    specification = SPECIFICATION
    _credential = "the token"

    @explains_arguments()
    def __init__(
        self,
        loader: Loader | None = None,
        *,
        realm: str | None = None,
        form: bool = False,
        query: bool = False,
        certificate: CertificateSource | None = None,
        bound_only: bool = False,
        name: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(loader, realm=realm)
        if name is not None:
            self.name = name
        _check_name(self.name)
        self._params = _checked_params(self.name, {} if params is None else params)
        self.certificate = certificate
        self.varies = fields_of(certificate)
        if checked_flag("bound_only", bound_only) and certificate is None:
            raise ConfigurationError("bound_only=True needs certificate=...: without it Bearer proves nothing")
        self.proves_key = bound_only
        self.form = checked_flag("form", form)
        self.query = checked_flag("query", query)
        self._elsewhere = form or query
        if self._elsewhere:
            ways = (("form", form), ("query", query))
            self.reads = (*self.reads, *((way, _PARAM) for way, on in ways if on))
        if self.curl_options is None:
            self.curl_options = ("-H", f"Authorization: {self.name} TOKEN")

    def read(self, request: Request, rest: str | None) -> Secret | None:
        if self._elsewhere:
            rest = self._only_one(request, rest)
        if rest is None:
            return None
        # check_token, in line: a table of octets costs a third of a regex.
        if not rest or not rest.isascii() or 0 in rest.encode().translate(_ALLOWED):
            _check_padded(self.name, rest)
        secret = Secret()
        secret.parts = (rest,)
        return secret

    def _only_one(self, request: Request, rest: str | None) -> str | None:
        sent = [] if rest is None else [rest]
        if self.query:
            sent += _unless_empty(query_values(request, _PARAM))
        if self.form and _has_form(request, max(MAX_FORM, 2 * self.max_size_in(request))):
            sent += _unless_empty(request.form.getlist(_PARAM))
        token = single_value(self.name, sent)
        if token is not None and len(token) > SMALLEST_LIMIT:
            check_size(f"{self.name}: the token", token, self.max_size_in(request))
        return token

    verify = ask_loader

    def resource_members(self) -> Mapping[str, Sequence[str] | bool]:
        # "header" means Authorization: Bearer (RFC 6750 §2.1): clients would send that, whatever the name here is.
        ways = (("header", self.name.lower() == "bearer"), ("body", self.form), ("query", self.query))
        return {
            "bearer_methods_supported": [way for way, on in ways if on],
            "tls_client_certificate_bound_access_tokens": self.certificate is not None,
        }

    def prove(self, identity: Identity, credentials: Secret, request: Request) -> None:
        if self.certificate is None:
            super().prove(identity, credentials, request)
        confirmation = known_methods(self.name, identity.confirmation)
        if KEY in confirmation:
            raise InvalidCredentials(
                reason=f"{self.name}: the token is bound to a key (cnf has jkt), which {self.name} doesn't prove: send "
                "it under DPoP"
            )
        prove_certificate(self, confirmation, self.certificate, request)

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        return oauth_challenges(self.name, realm, error, self._params)


def oauth_challenges(
    name: str, realm: str, error: AuthError | None, last: tuple[tuple[str, str], ...] = ()
) -> tuple[Challenge, ...]:
    """The challenge of a scheme that carries OAuth access tokens; ``last`` are parameters of its own."""
    return _challenges(name, realm, _scope(error), error_params(error), (*_step_up(error), *last))


@functools.lru_cache(maxsize=512)
def _challenges(
    name: str, realm: str, scope: str, error: tuple[tuple[str, str], ...], more: tuple[tuple[str, str], ...]
) -> tuple[Challenge, ...]:
    """In the order that clients.md measured: scope before error_description, which may resemble it."""
    scopes = (("scope", scope),) if scope else ()
    return (Challenge(name, (("realm", realm), *scopes, *error, *more)),)


def _check_name(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {name!r}")
    if not is_token(name):
        raise ConfigurationError(f"name={name!a} is not a token: use letters, digits and - (RFC 9110 §11.1)")
    if name.lower() in _OTHER_SCHEMES:
        raise ConfigurationError(
            f"name={name!r} is another scheme, whose credentials are no bearer tokens: use a name of your own, such as "
            "'Token', or subclass Scheme"
        )


def _checked_params(name: str, params: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The parameters that a developer adds to the challenge."""
    if not isinstance(params, Mapping):
        raise TypeError(f"params must be a mapping of parameter names to str, not {params!r}")
    for key in params:
        if isinstance(key, str) and key.lower() in _OWN_PARAMS:
            raise ConfigurationError(f"params has {key!r}, which the challenge says by itself: leave it out")
    try:
        Challenge(name, (("realm", ""), *params.items()))
    except ValueError as error:
        raise ConfigurationError(f"params={dict(params)!a} can't be sent: {error}") from None
    return tuple(params.items())


def check_token(name: str, token: str) -> None:
    """Raises `MalformedCredentials` for what is no b64token (RFC 6750 §2.1), which a token of DPoP is too."""
    if not token or not token.isascii() or 0 in token.encode().translate(_ALLOWED):
        _check_padded(name, token)


def _unless_empty(values: list[str]) -> list[str]:
    """The values of one parameter; a parameter without a value counts as omitted (RFC 6749 §3.1)."""
    return [] if values == [""] else values


def _check_padded(name: str, token: str) -> None:
    """Refuses what isn't the alphabet with ``=`` at the end only, and behind something (b64token of RFC 6750 §2.1)."""
    body = token.rstrip("=")
    if not body or not body.isascii() or 0 in body.encode().translate(_ALLOWED):
        raise MalformedCredentials(
            reason=f"{name}: the token ({len(token)} characters) is not a b64token, expected characters of A-Z a-z 0-9 "
            "- . _ ~ + / and = at the end only (RFC 6750 section 2.1)"
        )


def _scope(error: AuthError | None) -> str:
    return " ".join(error.scopes) if isinstance(error, InsufficientScope) else ""


def _step_up(error: AuthError | None) -> tuple[tuple[str, str], ...]:
    if not isinstance(error, StepUpRequired):
        return ()
    acr = (("acr_values", " ".join(error.acr_values)),) if error.acr_values else ()
    return acr if error.max_age is None else (*acr, ("max_age", str(error.max_age)))


def _has_form(request: Request, longest: int) -> bool:
    """Whether the body is a form that may hold a token (RFC 6750 §2.2): urlencoded, ASCII, a method with a body."""
    if request.method in ("GET", "HEAD", "OPTIONS", "TRACE", "DELETE"):
        return False
    if request.mimetype != "application/x-www-form-urlencoded":
        return False
    if request.content_length is None or request.content_length > longest:
        return False
    return request.get_data(parse_form_data=False).isascii()
