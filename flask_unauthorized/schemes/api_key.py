"""API keys in a header, in the query, or in a cookie.

No scheme is registered for API keys, and each service has its own name for the field. `APIKey` reads one place, which
the app names. Its rules come from what happens to that place on the way:

- A header: servers join repeated lines with a comma (RFC 9110 §5.2), so a key with a comma may be two keys, and is
  malformed. Servers drop names with an underscore, and two fields belong to other schemes; such names are refused.
- The query ends up in logs and histories. It is read only if the app says so.
- A cookie is sent by browsers by themselves, so it is ``ambient``: unsafe requests from other sites are refused.

An empty key is treated as missing, because clients send empty variables.
"""

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Request

from ..arguments import explains_arguments
from ..errors import AuthError, ConfigurationError, InvalidCredentials, MalformedCredentials
from ..wire import Challenge
from ..wire.grammar import is_token
from ..wire.rules import spell_field_name
from .base import (
    MIN_CREDENTIAL_LIMIT,
    SEND_ONE,
    CredentialKind,
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
from .header_names import validated_header
from .origins import validated_origins
from .state_access import max_credentials, warn_of_switch

if TYPE_CHECKING:
    from ..throttle.throttle import Throttle

_CURL_OPTIONS = {"header": ("-H", "{}: KEY"), "cookie": ("-b", "{}=KEY"), "query": ("--url-query", "{}=KEY")}


class APIKey(Scheme[Secret]):
    """Authenticate by an API key under a name of your choice.

    The loader gets the key: a ``str`` of printable ASCII without a comma. Make one object for each place where clients
    may send a key. The key may be a token: each loader of `Bearer` works here, as in
    ``APIKey(JWT(…), header="Cf-Access-Jwt-Assertion")``.

    The challenge is the private scheme ``ApiKey realm="…", in="header", name="X-API-Key"``. No scheme is registered for
    keys, and a 401 needs a challenge (RFC 9110 §11.6.1).

    Example:
        Read keys from the header ``X-API-Key``::

            from flask_unauthorized import APIKey, Auth
            from flask_unauthorized.loaders import StaticTokens

            keys = StaticTokens({"9Zk3v1xQ7mB4tY8wLr2c6A": "thermometer"})
            auth = Auth(APIKey(keys), app=app)

    Args:
        loader: Gets the key, returns the caller.
        *more_loaders: Loaders for other kinds of keys. They are asked in this order, and the first that doesn't
            reject the key decides. A loader's method ``recognizes``, if it has one, says which it isn't asked for.
        header: The header that holds the key. Default: ``X-API-Key``, if there is no ``query`` and no ``cookie``.
        query: The parameter of the query that holds the key. Queries end up in logs and histories.
        cookie: The cookie that holds the key. Browsers send it by themselves, so unsafe requests from other sites are
            refused with 403.
        realm: The scheme's own realm. Default: that of the app.
        trusted_origins: Origins of other sites that may send unsafe requests with the cookie.
        throttle: Limits on failed attempts: see `flask_unauthorized.throttle`.

    Raises:
        ConfigurationError: If several places are named, or a name can't be used.
        TypeError: If a value has the wrong type.
    """

    name = "ApiKey"
    needs_loader = True
    cacheable_challenges = True
    credential_kind: CredentialKind = "key"
    _credential = "the key"
    reads: tuple[tuple[str, str], ...] = ()  # each object sets it

    @explains_arguments(scheme="the field holds the key alone, without the name of a scheme, so leave it out")
    def __init__(
        self,
        loader: Loader | None = None,
        *more_loaders: Loader,
        header: str | None = None,
        query: str | None = None,
        cookie: str | None = None,
        realm: str | None = None,
        trusted_origins: Iterable[str] = (),
        throttle: "Throttle | None" = None,
    ) -> None:
        super().__init__(loader, *more_loaders, realm=realm, throttle=throttle)
        places = {"header": header, "query": query, "cookie": cookie}
        given = {place: name for place, name in places.items() if name is not None} or {"header": "X-API-Key"}
        if len(given) > 1:
            raise ConfigurationError(f"one place per APIKey, not {' and '.join(given)}: make one object for each")
        ((self.place, self.key_name),) = given.items()
        _check_name(self.place, self.key_name)
        self.reads = ((self.place, self.key_name.lower() if self.place == "header" else self.key_name),)
        self.ambient = self.place == "cookie"
        if self.ambient and type(self).credential_kind == "key":
            self.credential_kind = "session"  # A login page sets such a cookie, so people see the page.
        if self.curl_options is None:
            option, template = _CURL_OPTIONS[self.place]
            shown_name = spell_field_name(self.key_name) if self.place == "header" else self.key_name
            self.curl_options = option, template.format(shown_name)
        self.trusted_origins = validated_origins(trusted_origins)
        self._environ_key = "HTTP_" + self.key_name.upper().replace("-", "_")

    def check(self, app: Flask) -> None:
        super().check(app)
        if self.place == "query":
            warn_of_switch(
                app,
                f"{type(self).__name__}(query={self.key_name!a}): keys in URLs end up in logs, histories and Referer "
                "fields, where others can copy them: use header= instead",
            )

    def read(self, request: Request, rest: str | None) -> Secret | None:
        key = self._find(request)
        if not key:
            return None
        if "," in key:
            # It may be two keys: servers join repeated header lines with a comma (RFC 9110 §5.2).
            raise MalformedCredentials(
                SEND_ONE,
                reason=f"APIKey: the {self.place} {self.key_name} holds a comma, expected one key without commas: "
                "a client or a server joined two",
            )
        if len(key) > MIN_CREDENTIAL_LIMIT:
            check_size("APIKey: the key", key, max_credentials(request))
        if not (key.isascii() and key.isprintable()):
            raise InvalidCredentials(
                reason=f"APIKey: the {self.place} {self.key_name} holds a character outside printable ASCII, expected "
                "printable ASCII only"
            )
        secret = Secret()
        secret.arguments = (key,)
        return secret

    def _find(self, request: Request) -> str | None:
        if self.place == "header":
            value = request.environ.get(self._environ_key)
            return value.strip(" \t") if isinstance(value, str) else None
        if self.place == "query":
            return single_value(self.name, query_values(request, self.key_name))
        return single_value(self.name, request.cookies.getlist(self.key_name))

    verify = call_loader

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        params = (*demand_params(error), *error_params(error))
        return _challenges(self.name, realm, self.place, self.key_name, params)


@functools.lru_cache(maxsize=512)
def _challenges(
    scheme: str, realm: str, place: str, name: str, params: tuple[tuple[str, str], ...]
) -> tuple[Challenge, ...]:
    return (Challenge(scheme, (("realm", realm), ("in", place), ("name", name), *params)),)


def _check_name(place: str, name: str) -> None:
    if place == "header":
        validated_header(name)
        return
    if not isinstance(name, str):
        raise TypeError(f"the name of the {place} must be a str, not {type(name).__name__}")
    if not is_token(name):
        raise ConfigurationError(f"{place}={name!a} is not a token: use letters, digits and - (RFC 9110 §5.1)")
