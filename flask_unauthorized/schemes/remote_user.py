"""`RemoteUser`: callers whom the web server or a proxy in front of the app has authenticated.

Two carriers bring the name of such a caller, and they deserve different trust:

- ``REMOTE_USER`` of the environ. The server that runs the app sets it (mod_wsgi after Kerberos, certificates or
  OpenID Connect). No client can: fields of a request become keys that begin with ``HTTP_`` (PEP 3333).
- A field such as ``X-Forwarded-User``. A proxy adds it, and so can any client that reaches the app. It counts only if
  one of the named proxies made the connection (`flask_unauthorized.proxies`).

The order of `RemoteUser.read`:

1. Nothing or an empty value: nothing was sent.
2. A field whose peer isn't a named proxy: nothing was sent. Its content isn't looked at, so a client learns nothing.
   The first one in an app is a WARNING, because the developer may have forgotten a proxy. Others are DEBUG, because
   anyone can send any number of them.
3. A field that a client may have had a hand in is malformed: a comma (servers join repeated fields), or underscores in
   its name, where the server shows them.
4. The name itself must be UTF-8 without control characters. The environ has it as Latin-1 (PEP 3333), so it is decoded
   again. It is not changed in any other way: two names of the server must never become one.

Invariant: the loader gets a name only from the server or from a named proxy.

Browsers repeat what the server asks for (a Kerberos ticket, a cookie, a certificate), so the credentials are
``ambient``: unsafe requests from other sites are refused.
"""

import functools
from collections.abc import Iterable
from typing import Any, Final

from flask import Flask, Request, current_app

from ..arguments import explains_arguments
from ..errors import AuthError, ConfigurationError, MalformedCredentials
from ..errors.text import shown
from ..logs import log
from ..proxies import TrustedProxies, came_with_underscores, peer_address, refuse_second_proxy_fix
from ..wire import Challenge
from ..wire.soundness import examine
from .base import Loader, Scheme, Secret, call_loader, error_params
from .header_names import validated_header
from .origins import validated_origins
from .state_access import readable_app_state, scheme_state

MAX_NAME: Final = 1024
"""The longest name, in bytes."""
_KEY: Final = "REMOTE_USER"
_PROMPTING: Final = frozenset({"basic", "digest", "negotiate", "ntlm"})
"""Schemes for whose challenges browsers may open a password box."""


class RemoteUser(Scheme[Secret]):
    """Authenticate callers by the user name that the web server passes on.

    The web server, or a proxy in front of the app, has authenticated them. Without ``header`` the name is
    ``REMOTE_USER`` of the WSGI environ, which only the server can set. With ``header`` it is a field that one of
    ``proxies`` sets. The proxy must remove what clients send under this name, also with underscores for dashes. From
    all other addresses the field is ignored.

    The loader gets the name, a ``str``. It may return ``True``: the name is the subject then.

    The challenge is the private scheme ``RemoteUser realm="…"``, because no scheme is registered and a 401 needs a
    challenge (RFC 9110 §11.6.1). If the server reacts to a challenge of the app, name that one as ``challenge``.

    Example:
        Accept the name that nginx on the same host found out by Kerberos::

            from flask_unauthorized import Auth
            from flask_unauthorized.schemes.remote_user import RemoteUser

            remote_user = RemoteUser(header="X-Forwarded-User", proxies=["127.0.0.1"])
            auth = Auth(remote_user, app=app)

            @remote_user.loader
            def load(name):
                return find_user(name)

    Args:
        loader: Gets the name, returns the caller.
        header: The field that the proxies set, such as ``X-Forwarded-User``. Default: none, ``REMOTE_USER`` is read.
        proxies: The addresses or networks of the proxies, ``"unix:"`` for one that connects through a Unix socket.
            They are compared with the peer of the connection, which `ProxyFix` doesn't change.
        challenge: The challenges that are sent instead, as in ``WWW-Authenticate``: ``"Negotiate"``, or
            ``'Negotiate, Basic realm="intranet"'``.
        realm: The scheme's own realm. Default: that of the app.
        trusted_origins: Origins of other sites that may send unsafe requests.

    Raises:
        ConfigurationError: If ``header`` comes without ``proxies`` or the other way round, or if a value can't be used.
        TypeError: If a value has the wrong type.
    """

    name = "RemoteUser"
    reads: tuple[tuple[str, str], ...] = (("environ", _KEY),)
    ambient = True
    needs_loader = True
    names_subject = True
    cacheable_challenges = True
    credential_kind = "sign_on"
    # What the caller really sent is the business of the server: a ticket, a cookie, or a certificate.
    varies = ("Authorization", "Cookie")
    _credential = "the user name"

    @explains_arguments()
    def __init__(
        self,
        loader: Loader | None = None,
        *,
        header: str | None = None,
        proxies: Iterable[str] | None = None,
        challenge: str | None = None,
        realm: str | None = None,
        trusted_origins: Iterable[str] = (),
    ) -> None:
        super().__init__(loader, realm=realm)
        self.place = _KEY
        self._environ_key = _KEY
        self._proxies: TrustedProxies | None = None
        if header is None and proxies is not None:
            raise ConfigurationError(
                "proxies= needs header=: without it REMOTE_USER is read, which the server that runs the app sets "
                "itself. Name the field that your proxies set, such as header='X-Forwarded-User'"
            )
        if header is not None:
            self._read_header(header, proxies)
        if self.curl_options is None:
            self.curl_options = () if header is None else ("-H", f"{self.place}: NAME")
        self.trusted_origins = validated_origins(trusted_origins)
        self._own_challenges = () if challenge is None else _own_challenges(challenge, realm)
        if self._own_challenges:
            names = [one.scheme for one in self._own_challenges]
            self.name = names[0]
            self.prompts = not _PROMPTING.isdisjoint(map(str.lower, names))

    def _read_header(self, header: str, proxies: Iterable[str] | None) -> None:
        """Read ``header`` of ``proxies`` in place of ``REMOTE_USER``."""
        if header == _KEY:
            raise ConfigurationError(
                "header='REMOTE_USER' isn't a header: leave header= out, and REMOTE_USER of the environ is read"
            )
        validated_header(header)
        if proxies is None:
            raise ConfigurationError(
                f"header={header!r} needs proxies=: any client can send this header, and would be logged in under any "
                "name. Name the addresses of the proxies that set it, such as proxies=['10.0.0.5']"
            )
        self._proxies = TrustedProxies(proxies)
        self.place = header
        self.reads = (("header", header.lower()),)
        self._environ_key = "HTTP_" + header.upper().replace("-", "_")

    def check(self, app: Flask) -> None:
        super().check(app)
        if self._proxies is not None:
            refuse_second_proxy_fix(app)

    def read(self, request: Request, rest: str | None) -> Secret | None:
        environ = request.environ
        value = environ.get(self._environ_key)
        if not value:
            return None
        if self._proxies is not None:
            value = value.strip(" \t")  # It isn't part of a field's value (RFC 9110 §5.5).
            if not value:
                return None
            if not self._proxies.trusts(environ):
                self._ignore(request, peer_address(environ))
                return None
            if came_with_underscores(environ, self.place):
                raise MalformedCredentials(
                    reason=f"{self.place} came with underscores for dashes, which this server reads alike: the proxy "
                    "must remove that spelling, too"
                )
            if "," in value:
                raise MalformedCredentials(
                    reason=f"{self.place} holds a comma, expected one name without commas: servers join repeated "
                    "fields with one, so the proxy must remove what clients send, and send a name without commas"
                )
        secret = Secret()
        secret.arguments = (_validated_name(self.place, value),)
        return secret

    def _ignore(self, request: Request, peer: str) -> None:
        """Treat the field as not sent, and log why."""
        reason = (
            f"{self.place} came from {shown(peer, 60) if peer else 'a Unix socket'}, which is not in proxies=, so it "
            "was ignored"
        )
        state = scheme_state(request)
        if state is not None:
            state.dropped_reason = reason
        logged, key = readable_app_state(current_app).logged_once, ("ignored", self)
        is_first = key not in logged
        logged.add(key)
        hint = ": if that is your proxy, name it; if not, clients reach the app directly" if is_first else ""
        (log.warning if is_first else log.debug)("%s%s", reason, hint)

    verify = call_loader

    def subject(self, credentials: Secret) -> str | None:
        return credentials.arguments[0]

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        return self._own_challenges or _challenges(self.name, realm, error_params(error))


@functools.lru_cache(maxsize=512)
def _challenges(name: str, realm: str, error: tuple[tuple[str, str], ...]) -> tuple[Challenge, ...]:
    return (Challenge(name, (("realm", realm), *error)),)


def _validated_name(place: str, value: Any) -> str:
    """Return the name in a value of the environ, which PEP 3333 decodes as Latin-1.

    A middleware may set a name with other characters. It is text already then.
    """
    name: str = value
    try:
        name = value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedCredentials(
            reason=f"{place} is not UTF-8, expected the octets of UTF-8, decoded as Latin-1 (PEP 3333)"
        ) from None
    except UnicodeEncodeError:
        pass
    if len(value) > MAX_NAME:
        raise MalformedCredentials(reason=f"{place} has {len(value)} bytes, expected at most {MAX_NAME}")
    if not name.isprintable() or name != name.strip():
        raise MalformedCredentials(
            reason=f"{place} holds a control character or blanks around the name, expected printable characters"
        )
    return name


def _own_challenges(challenge: str, realm: str | None) -> tuple[Challenge, ...]:
    """Return the challenges that the app sends in place of the private one."""
    if not isinstance(challenge, str):
        raise TypeError(f"challenge must be a str such as 'Negotiate', not {challenge!r}")
    if realm is not None:
        raise ConfigurationError(
            f"realm={realm!r} is not sent, because challenge= replaces the challenge: leave it out"
        )
    found = examine(challenge, 401)
    names = {one.scheme.lower() for one in found.challenges}
    if found.problems or not names or len(names) < len(found.challenges):
        problem = "; ".join(found.problems) or ("a scheme stands twice" if names else "it names no scheme")
        raise ConfigurationError(
            f"challenge={challenge!a} can't be sent: {problem}. Write it as in WWW-Authenticate, such as 'Negotiate' "
            "or 'Negotiate, Basic realm=\"intranet\"' (RFC 9110 §11.6.1)"
        )
    return found.challenges
