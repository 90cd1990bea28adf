"""API keys: in a header, or, where switched on, in the query or a cookie."""

import functools
from collections.abc import Iterable

from flask import Request

from ..arguments import explains_arguments
from ..errors import AuthError, ConfigurationError, InvalidCredentials, MalformedCredentials
from ..wire import Challenge
from ..wire.grammar import is_token
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
from .origins import trusted


class APIKey(Scheme[Secret]):
    """A key under a name of your choice. The loader gets the key, a ``str`` of printable ASCII without a comma.

    One place per object: ``header`` (default ``X-API-Key``), ``query`` or ``cookie``. A query ends up in logs and
    histories, a cookie is sent by browsers on their own: with ``cookie``, unsafe cross-site requests are refused with
    403 unless their origin is in ``trusted_origins``. The challenge is the private scheme
    ``ApiKey realm="…", in="header", name="X-API-Key"``: none is registered for keys, and a 401 needs one.
    """

    name = "ApiKey"
    needs_loader = True
    cacheable_challenges = True
    _credential = "the key"
    reads: tuple[tuple[str, str], ...] = ()  # the place that the object was told

    @explains_arguments()
    def __init__(
        self,
        loader: Loader | None = None,
        *,
        header: str | None = None,
        query: str | None = None,
        cookie: str | None = None,
        realm: str | None = None,
        trusted_origins: Iterable[str] = (),
    ) -> None:
        super().__init__(loader, realm=realm)
        places = {"header": header, "query": query, "cookie": cookie}
        named = {place: name for place, name in places.items() if name is not None} or {"header": "X-API-Key"}
        if len(named) > 1:
            raise ConfigurationError(f"one place per APIKey, not {' and '.join(named)}: make one object for each")
        ((self.place, self.key_name),) = named.items()
        _check_name(self.place, self.key_name)
        self.reads = ((self.place, self.key_name.lower() if self.place == "header" else self.key_name),)
        self.ambient = self.place == "cookie"
        if self.curl_options is None:
            option, text = _OPTIONS[self.place]
            self.curl_options = option, text.format(self.key_name.title() if self.place == "header" else self.key_name)
        self.trusted_origins = trusted(trusted_origins)
        self._environ_key = "HTTP_" + self.key_name.upper().replace("-", "_")

    def read(self, request: Request, rest: str | None) -> Secret | None:
        key = self._find(request)
        if not key:
            return None
        if "," in key:
            # Servers join repeated header lines with a comma (RFC 9110 §5.2), so no key may hold one.
            raise MalformedCredentials(
                reason=f"APIKey: the {self.place} {self.key_name} holds a comma, expected one key without commas: "
                "a client or a server joined two"
            )
        if len(key) > SMALLEST_LIMIT:
            check_size("APIKey: the key", key, self.max_size_in(request))
        if not (key.isascii() and key.isprintable()):
            raise InvalidCredentials(
                reason=f"APIKey: the {self.place} {self.key_name} holds a character outside printable ASCII, expected "
                "printable ASCII only"
            )
        secret = Secret()
        secret.parts = (key,)
        return secret

    def _find(self, request: Request) -> str | None:
        if self.place == "header":
            value = request.environ.get(self._environ_key)
            return value.strip(" \t") if isinstance(value, str) else None
        if self.place == "query":
            return single_value(self.name, query_values(request, self.key_name))
        return single_value(self.name, request.cookies.getlist(self.key_name))

    verify = ask_loader

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        return _challenges(self.name, realm, self.place, self.key_name, error_params(error))


_OPTIONS = {"header": ("-H", "{}: KEY"), "cookie": ("-b", "{}=KEY"), "query": ("--url-query", "{}=KEY")}


@functools.lru_cache(maxsize=512)
def _challenges(
    scheme: str, realm: str, place: str, name: str, error: tuple[tuple[str, str], ...]
) -> tuple[Challenge, ...]:
    return (Challenge(scheme, (("realm", realm), ("in", place), ("name", name), *error)),)


def _check_name(place: str, name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name of the {place} must be a str, not {type(name).__name__}")
    if not is_token(name):
        raise ConfigurationError(f"{place}={name!a} is not a token: use letters, digits and - (RFC 9110 §5.1)")
    if place == "header" and name.lower() in ("authorization", "proxy-authorization", "cookie"):
        raise ConfigurationError(f"header={name!r} belongs to another scheme: use a name of your own, X-API-Key")
    if place == "header" and "_" in name:
        raise ConfigurationError(f"header={name!r} has an underscore, which servers drop: use -")
