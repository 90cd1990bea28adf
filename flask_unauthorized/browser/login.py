"""Log people in and out, and confirm a login.

`Auth.login`, `Auth.confirm` and `Auth.logout` delegate to this module. `SessionCookie` decides what a session
holds and what a store records about ended sessions. This module decides the order of steps within one request, and
what becomes of the caller that the request had before.

A login takes these steps:

1. Refuse the request if a page of another site sent it by an unsafe method. Otherwise an attacker could log victims
   into the attacker's account (login CSRF). Identity providers that post their response are listed in
   ``from_origins``.
2. Ask the loader for the user, before anything is written. If the loader rejects the user, the session ends, because
   the form was sent to change users. If it is unavailable, the session stays as it was.
3. Begin a new session. Content that an attacker planted before the login doesn't survive (session fixation). Only the
   keys in ``keep`` do.
4. Make the new user the caller of this request.
5. Send the signal ``logged_in``.

A confirmation (step-up) takes the same steps for the user who is logged in: the loader is asked again, and the session
gets a new id. Its content stays, because no other user can have put it there.

Invariants:

- The caller of the request and the login in the session are the same user, also after a step that failed. So the
  caller is reset before the loader runs, and again if the session can't be begun.
- Credentials of other schemes keep their result. Their DPoP proof or Digest count must not be spent twice.
- A guard that was met before the login or logout stays met, because the caller of that time met it.
- No cache may store the response: it sets or deletes a session cookie, and ``Set-Cookie`` doesn't prevent that
  (RFC 9111 §7.3). The response hook does so even if the guard is switched off.
- After a logout, the browser is asked to drop its copies of the app's pages, unless the app says otherwise. The field
  is added before hooks of the app run, so theirs prevail.
- The signals are sent after success only. Their arguments are the caller and the scheme's name, and nothing of the
  session.
- A logout always empties this browser's session, whatever the store responds. People may leave the browser then.
"""

import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

from flask import Request, Response, after_this_request, session

from .. import signals
from ..arguments import validated_flag
from ..authentication.cross_site import is_cross_site, is_unsafe, site_of
from ..authentication.verification import verify
from ..errors import AuthError, AuthUnavailable, ConfigurationError, CrossSiteRequest, MissingCredentials
from ..errors.text import shown
from ..events import log_event
from ..identity import Identity
from ..logs import log
from ..policy.plain_http import is_from_this_machine
from ..rendering.headers import set_no_store
from ..runtime.refuse import plan_in_force, refuse
from ..runtime.request_state import RequestState, real_app, real_request, state_for
from ..schemes.base import AnyScheme
from ..schemes.origins import validated_origins
from ..schemes.session.devices import public_id
from ..schemes.session.lifecycle import (
    begin_login,
    check_login,
    confirmed_login,
    end_login,
    end_stolen,
    new_login,
    provider_logouts,
    renew_login,
)
from ..schemes.session.record import SESSION_KEY
from ..schemes.session.scheme import SessionCookie
from ..schemes.state_access import warn_once


def session_scheme(schemes: Iterable[AnyScheme]) -> SessionCookie:
    """Return the only `SessionCookie` among ``schemes``.

    Raises:
        ConfigurationError: If there is none, or more than one.
    """
    found = [scheme for scheme in schemes if isinstance(scheme, SessionCookie)]
    if len(found) != 1:
        raise ConfigurationError(
            f"this Auth has {len(found)} SessionCookie schemes, and logging in needs one: "
            "Auth(SessionCookie(load_user))"
        )
    return found[0]


def log_in(
    scheme: SessionCookie,
    who: Any,
    *,
    acr: str | None = None,
    amr: Iterable[str] | None = None,
    auth_time: float | None = None,
    keep: Iterable[str] = (),
    from_origins: Iterable[str] = (),
    remember: bool = False,
    issuer: str | None = None,
    sid: str | None = None,
) -> Identity:
    """Log the caller of the current request in; see `Auth.login`."""
    request = real_request()
    origins = validated_origins(from_origins, "from_origins")
    kept_names = _validated_keep(keep)
    check_login(scheme, remember=remember, issuer=issuer, sid=sid)
    if is_unsafe(request) and request.headers.get("Origin", "").lower() not in origins:
        trusts = origins | scheme.trusted_origins
        _refuse_cross_site(scheme, request, "login", "from_origins= or trusted_origins=", trusts)
    state = state_for(request)
    user_was_loaded = _user_was_loaded(scheme, state)
    if isinstance(who, Identity):
        acr = who.acr if acr is None else acr
        auth_time = who.auth_time if auth_time is None else auth_time
    subject = scheme.subject_of(who)
    logouts = provider_logouts(scheme, subject, issuer, sid)
    end_stolen(scheme, request)  # It may end all sessions of the user, and the new one begins after that.
    login = new_login(scheme, subject, acr, auth_time, _methods_of(who, amr), issuer)
    _reset_caller(scheme, request, state)
    state.attempted_scheme = scheme
    try:
        identity = verify(scheme, login, request, state)
    except AuthUnavailable:
        raise
    except AuthError:
        end_login(scheme, request, user_was_loaded=user_was_loaded)
        raise
    kept_values = {name: session[name] for name in kept_names if name in session and name != SESSION_KEY}
    try:
        begin_login(
            scheme,
            login,
            request,
            remember=remember,
            issuer=issuer,
            sid=sid,
            logouts=logouts,
            user_was_loaded=user_was_loaded,
        )
    except Exception:  # the session is still that of before, so its user isn't the caller either
        _reset_caller(scheme, request, state)
        raise
    session.update(kept_values)
    _warn_of_dropped_cookie(request)
    state.identity = identity
    state.scheme = state.login_scheme = scheme
    log_event(
        logging.INFO,
        "logged_in",
        "logged in with %s",
        scheme.name,
        scheme=scheme.name,
        subject=identity.subject,
        session=public_id(login.session_id),
    )
    signals.send(
        signals.logged_in, real_app(), identity=identity, scheme=scheme.name, session=public_id(login.session_id)
    )
    return identity


def _methods_of(who: Any, amr: Iterable[str] | None) -> Iterable[str]:
    """Return the methods of a login: those given, else those of an identity."""
    if amr is not None:
        return amr
    return who.amr if isinstance(who, Identity) else ()


def _validated_keep(keep: Iterable[str]) -> Iterable[str]:
    """Refuse a bare string: its letters would be the names of the keys, so nothing would stay."""
    if isinstance(keep, str):
        raise TypeError(f'keep={keep!r} is a bare string: write keep={{"{keep}"}}')
    if not isinstance(keep, Iterable):
        raise TypeError(f'keep must be a collection of names, not {keep!r}: write keep={{"cart"}}')
    return keep


def _warn_of_dropped_cookie(request: Request) -> None:
    """Log once per app that browsers drop the cookie of this login: it is ``Secure``, and came over plain HTTP.

    The login itself succeeds, so without the warning people see the login page again and again.
    """
    app = real_app()
    if app.config["SESSION_COOKIE_SECURE"] and not request.is_secure and not is_from_this_machine(request.environ):
        warn_once(
            app,
            "a login came over plain HTTP, and SESSION_COOKIE_SECURE is True, so browsers drop its cookie: serve HTTPS "
            "(behind a proxy, tell Flask with werkzeug's ProxyFix)",
        )


def confirm(
    scheme: SessionCookie, caller: Identity, *, acr: str | None = None, amr: Iterable[str] | None = None
) -> Identity:
    """Raise level and time of the current login of ``caller``; see `Auth.confirm`."""
    request = real_request()
    state = state_for(request)
    current = scheme.current_login() if state.scheme is scheme and state.identity is caller else None
    if current is None:
        error = MissingCredentials(
            reason="confirm() was called, and the caller has no login of the SessionCookie: call login() first"
        )
        refuse(error, request, state)
    login = confirmed_login(current, acr, amr)
    _reset_caller(scheme, request, state)
    state.attempted_scheme = scheme
    identity = verify(scheme, login, request, state)
    try:
        renew_login(scheme, current, login, request)
    except Exception:  # the session is still that of before
        _reset_caller(scheme, request, state)
        raise
    state.identity = identity
    state.scheme = state.login_scheme = scheme
    log_event(
        logging.INFO,
        "authenticated",
        "confirmed a login",
        scheme=scheme.name,
        subject=identity.subject,
        session=public_id(login.session_id),
    )
    return identity


def log_out(scheme: SessionCookie, *, clear_cache: bool = True) -> None:
    """Log the caller of the current request out; see `Auth.logout`."""
    validated_flag("clear_cache", clear_cache)
    request = real_request()
    _refuse_cross_site(scheme, request, "logout", "trusted_origins=", scheme.trusted_origins)
    state = state_for(request)
    had_login = scheme.read(request, None) is not None
    login = scheme.current_login()
    ended = _ended_login(scheme, request, state) if signals.logged_out.receivers else None
    try:
        end_login(scheme, request, user_was_loaded=_user_was_loaded(scheme, state))
    finally:  # This comes last, because a loader may ask who is calling.
        _reset_caller(scheme, request, state)
        if clear_cache:
            after_this_request(_add_clear_site_data)
    session_id = None if login is None else public_id(login.session_id)
    if had_login:
        log_event(
            logging.INFO,
            "logged_out",
            "logged out of %s",
            scheme.name,
            scheme=scheme.name,
            subject=None if login is None else login.subject,
            session=session_id,
        )
    if ended is not None:
        signals.send(signals.logged_out, real_app(), identity=ended.identity, scheme=scheme.name, session=session_id)


def _add_clear_site_data(response: Response) -> Response:
    """Ask the browser to drop its copies of the app's pages (W3C Clear Site Data). What the app has asked stays."""
    given = response.headers.getlist("Clear-Site-Data")
    types = {element.strip() for line in given for element in line.split(",")}
    if types.isdisjoint({'"cache"', '"*"'}):
        response.headers["Clear-Site-Data"] = ", ".join([*given, '"cache"'])
    return response


class _EndedLogin(NamedTuple):
    """The login that a logout ends, for the signal; without an identity if its user can't be loaded."""

    identity: Identity | None


def _ended_login(scheme: SessionCookie, request: Request, state: RequestState) -> _EndedLogin | None:
    """Return whose login a logout is about to end; ``None`` if the session holds none that is alive.

    Nothing that goes wrong here prevents the logout.
    """
    if state.login_scheme is scheme:
        return _EndedLogin(state.identity)
    login = scheme.read(request, None)
    if login is None:
        return None
    try:
        return _EndedLogin(verify(scheme, login, request, state))
    except AuthError:
        return _EndedLogin(None)
    except Exception:  # a loader that fails must not prevent the logout
        log.exception("the signal logged_out names no user, because the loader failed")
        return _EndedLogin(None)


def _refuse_cross_site(
    scheme: SessionCookie, request: Request, action: str, setting: str, trusts: frozenset[str]
) -> None:
    if is_cross_site(request, scheme):
        raise CrossSiteRequest(
            f"This {action} came from another site, whose origin is not in {setting}.",
            reason=f"the {action} came from another site: {site_of(request)}, expected one of {shown(trusts, 80)} of "
            f"{setting}",
        )


def _user_was_loaded(scheme: SessionCookie, state: RequestState) -> bool:
    """Return whether the loader has accepted the user of this session in this request."""
    return isinstance((state.verification_results or {}).get(scheme), Identity)


def _reset_caller(scheme: SessionCookie, request: Request, state: RequestState) -> None:
    """Forget the caller of this request, as the session had it, and keep the response out of caches."""
    state.keep_satisfied_plan()
    state.satisfied_plan = state.identity = state.scheme = state.attempted_scheme = state.login_scheme = (
        state.identification
    ) = None
    state.announced_identity = state.recorded_refusal = None
    state.verification_results = {
        other: found for other, found in (state.verification_results or {}).items() if other is not scheme
    }
    state.plan = plan_in_force(request, state)  # With a plan, the guard looks at the response.
    state.no_store = True
    after_this_request(set_no_store)
