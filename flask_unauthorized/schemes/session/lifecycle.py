"""What a login, a confirmation and a logout do to the session, and to what the store keeps of it.

`SessionCookie` says on each request who is logged in. These functions change that. They are a part of the scheme, so
they use its private attributes. ``browser.login`` calls them for `Auth.login`, `Auth.confirm` and `Auth.logout`, and
decides the order of steps within a request.

A login takes these steps:

1. `end_stolen` ends the device of a remember cookie that is in use in two places, as each other page does. The steps
   after it find that device ended.
2. `new_login` makes the record. The loader is asked with it, before anything else is written.
3. `begin_login` enters the device in the store, and then ends the device that the browser had before. If the user has
   logged out at the provider meanwhile, the login ends.
4. The record takes the place of everything in Flask's session, and a session on the server gets a new id. Nothing that
   someone else planted before the login survives it (session fixation).
5. The response sets the remember cookie, or deletes the one of the previous login.

These rules hold:

- A logout ends copies of the cookie only if the session would be accepted now. Dead cookies lie in backups and logs. If
  they counted, anyone who sends one could end sessions that its user has begun since.
- A logout empties the session in this browser in any case, even if store or loader fail.
- A device that takes another one's place is in the store before that one ends. A step that fails in between leaves an
  entry without a cookie, which opens nothing and expires.
- A confirmed login gets a new id, and keeps the content of the session, because no other user can have put it there.
"""

import secrets
import time
from collections.abc import Iterable, Sequence

from flask import Request, session

from ...arguments import validated_flag
from ...errors import AuthError, ConfigurationError, InvalidCredentials, SessionStolen
from ...identity import validated_methods
from .devices import Device
from .entries import session_ended
from .flask_session import device_label, renew_id
from .record import SESSION_KEY, LoginRecord, is_time
from .scheme import SessionCookie


def end_stolen(scheme: SessionCookie, request: Request) -> None:
    """End the device of a remember cookie that is in use in two places, before a login or a logout.

    Raises:
        AuthUnavailable: If the store can't be asked.
    """
    if scheme._remembered is not None:
        scheme._remembered.end_stolen(request, scheme.realm_in_force())


def new_login(
    scheme: SessionCookie,
    subject: str,
    acr: str | None,
    auth_time: float | None,
    amr: Iterable[str] = (),
    issuer: str | None = None,
) -> LoginRecord:
    """Return the record of a login that begins now. It isn't in the session yet.

    Args:
        scheme: The scheme.
        subject: The user's subject.
        acr: The class of the login.
        auth_time: When the user authenticated, in seconds since 1970. ``None`` means now.
        amr: The methods of the login.
        issuer: The identity provider where the user logged in.

    Raises:
        AuthUnavailable: If the store can't be asked.
        TypeError: If ``acr``, ``auth_time`` or ``amr`` has the wrong type.
    """
    if acr is not None and not isinstance(acr, str):
        raise TypeError(f"acr must be a str, not {type(acr).__name__}")
    if auth_time is not None and not is_time(auth_time):
        raise TypeError(f"auth_time must be a number of seconds since 1970, not {auth_time!r}")
    methods = validated_methods(amr)
    now = time.time()
    realm = scheme.realm_in_force()
    return LoginRecord(
        subject,
        auth_time=now if auth_time is None else auth_time,
        acr=acr,
        session_id=secrets.token_urlsafe(16),
        begun=_begin_time(scheme, subject),
        last_used=now,
        is_repeated=scheme.current_login() is not None,
        realm=realm,
        amr=methods,
        issuer=issuer,
    )


def check_login(scheme: SessionCookie, *, remember: bool, issuer: str | None, sid: str | None) -> None:
    """Check arguments of `Auth.login`, before anything is changed.

    Args:
        scheme: The scheme.
        remember: Whether the login is to be remembered.
        issuer: The identity provider where the user logged in.
        sid: The session there.

    Raises:
        ConfigurationError: If the scheme doesn't remember logins, or if no store lists devices.
        TypeError: If an argument has the wrong type, or if there is ``sid`` without ``issuer``.
    """
    for name, value in (("issuer", issuer), ("sid", sid)):
        if value is not None and (not isinstance(value, str) or not value):
            raise TypeError(f"{name} must be a non-empty str or None, not {value!r}")
    if sid is not None and issuer is None:
        raise TypeError("sid= needs issuer=, because two providers may have a session of one name")
    if issuer is not None:
        scheme.device_entries("login(issuer=)")
    if validated_flag("remember", remember) and scheme._remembered is None:
        raise ConfigurationError(
            "login(remember=True) needs a scheme that remembers logins: "
            "SessionCookie(load, store=SQLiteStore(path), remember=timedelta(days=30))"
        )


def provider_logouts(scheme: SessionCookie, subject: str, issuer: str | None, sid: str | None) -> Sequence[str | None]:
    """Return the marks of logouts at the provider of a login: see `SessionEntries.provider_logouts`.

    Raises:
        AuthUnavailable: If the store can't be asked.
    """
    if issuer is None or scheme._entries is None:
        return ()
    return scheme._entries.provider_logouts(scheme.realm_in_force(), issuer, sid, subject)


def begin_login(
    scheme: SessionCookie,
    login: LoginRecord,
    request: Request,
    *,
    remember: bool = False,
    issuer: str | None = None,
    sid: str | None = None,
    logouts: Sequence[str | None] = (),
    user_was_loaded: bool = False,
) -> None:
    """Put a login into the session, in place of everything that was there. ``session.permanent`` stays.

    Args:
        scheme: The scheme.
        login: What `new_login` returned.
        request: The request.
        remember: Whether the login is remembered.
        issuer: The identity provider where the user logged in.
        sid: The session there.
        logouts: What `provider_logouts` returned before the login was made.
        user_was_loaded: As in `end_login`.

    Raises:
        AuthUnavailable: If the store can't be asked. The session stays as it was.
        InvalidCredentials: If the login has been ended in the meantime.
    """
    device = Device(subject=login.subject, created=login.begun, label=device_label(), issuer=issuer, sid=sid)
    secret = scheme._remembered.begin(device, login) if remember and scheme._remembered is not None else None
    replaced = _logins_of(scheme, request)
    _enter(scheme, login, device, replaced[0].session_id if replaced else None)
    if _end_copies(scheme, replaced, request, user_was_loaded):
        # All sessions of the user ended, this login included. An ended entry is final, so the login gets a new id.
        login.begun = device.created = _begin_time(scheme, login.subject)
        login.session_id = secrets.token_urlsafe(16)
        _enter(scheme, login, device)
    if scheme._entries is not None and provider_logouts(scheme, login.subject, issuer, sid) != logouts:
        scheme._entries.end_begun(login)
        raise session_ended()
    is_permanent = getattr(session, "permanent", False)
    session.clear()
    if is_permanent:
        session.permanent = True
    session[SESSION_KEY] = login.to_session()
    renew_id()
    if scheme._remembered is None:
        return
    if secret is None:
        scheme._remembered.drop(request, login.realm, if_sent=True)
    else:
        scheme._remembered.send(request, login, device, secret)


def end_login(scheme: SessionCookie, request: Request, *, user_was_loaded: bool = False) -> None:
    """End the session in this browser. With a store, also end all copies of its cookie.

    Args:
        scheme: The scheme.
        request: The request.
        user_was_loaded: Whether the loader has accepted the user of this session in this request. It isn't called
            again then.
    """
    try:
        end_stolen(scheme, request)
        _end_copies(scheme, _logins_of(scheme, request), request, user_was_loaded)
    finally:  # The user may leave the browser now, whatever the store responds.
        renew_id()
        session.clear()
        if scheme._remembered is not None:
            scheme._remembered.drop(request, scheme.realm_in_force(), if_sent=False)


def confirmed_login(current: LoginRecord, acr: str | None, amr: Iterable[str] | None = None) -> LoginRecord:
    """Return the record of a login that its user has confirmed now. It has a new id, and isn't in the session yet.

    Args:
        current: The login in the session.
        acr: The class of the login from now on. ``None`` leaves it as it is.
        amr: The methods of the login from now on. ``None`` leaves them as they are.

    Raises:
        TypeError: If ``acr`` or ``amr`` has the wrong type.
    """
    if acr is not None and not isinstance(acr, str):
        raise TypeError(f"acr must be a str, not {type(acr).__name__}")
    methods = current.amr if amr is None else validated_methods(amr)
    now = time.time()
    return LoginRecord(
        current.subject,
        auth_time=now,
        acr=current.acr if acr is None else acr,
        session_id=secrets.token_urlsafe(16),
        begun=current.begun,  # So it ends with all sessions of the user that began before.
        last_used=now,
        is_repeated=True,
        realm=current.realm,
        amr=methods,
        issuer=current.issuer,
    )


def renew_login(scheme: SessionCookie, current: LoginRecord, login: LoginRecord, request: Request) -> None:
    """Put a confirmed login into the session in place of ``current``, whose copies end. Other content stays.

    A remembered login moves along: its cookie gets a new id and a new secret. Its sessions have the time and the
    class of the original login, because a confirmation holds for the session in which it was made. A user who confirms
    more than `MAX_ENDED` times within a lifetime keeps the id, so copies live on, with the old time and class.

    Args:
        scheme: The scheme.
        current: The login in the session.
        login: What `confirmed_login` returned.
        request: The request.

    Raises:
        AuthUnavailable: If the store can't be asked. The session stays as it was.
        InvalidCredentials: If the login has ended in the meantime.
    """
    if scheme._entries is not None and not scheme._entries.may_renew(login):
        login.session_id = current.session_id
        session[SESSION_KEY] = login.to_session()
        renew_id()
        return
    device = _device_of(scheme, current, login)
    secret: str | None = None
    if device is not None:
        if device.is_remembered and scheme._remembered is not None:
            secret = scheme._remembered.renew(device)
        _enter(scheme, login, device, current.session_id)
    if scheme._entries is not None:
        scheme._entries.end_confirmed(current, login)
    session[SESSION_KEY] = login.to_session()
    renew_id()
    if device is not None and secret is not None and scheme._remembered is not None:
        scheme._remembered.send(request, login, device, secret)


def _device_of(scheme: SessionCookie, current: LoginRecord, login: LoginRecord) -> Device | None:
    """Return the device of the current login, which a confirmation moves to another id; ``None`` without a list."""
    if scheme._entries is None or not scheme._entries.lists_devices:
        return None
    entry, found = scheme._entries.find(current.realm, current.session_id)
    if found is not None:
        return found.device
    if entry is not None:
        raise session_ended()
    return Device(subject=login.subject, created=login.begun, label=device_label())


def _enter(scheme: SessionCookie, login: LoginRecord, device: Device, replaced_id: str | None = None) -> None:
    if scheme._entries is not None and scheme._entries.lists_devices:
        scheme._entries.enter(login, device, replaced_id)


def _logins_of(scheme: SessionCookie, request: Request) -> list[LoginRecord]:
    """Return the logins that this browser has: that of its session, and that of its remember cookie."""
    login = scheme.current_login()
    found = [] if login is None else [login]
    if scheme._remembered is not None:
        remembered = scheme._remembered.find_login(request, scheme.realm_in_force())
        if remembered is not None and (login is None or remembered.session_id != login.session_id):
            found.append(remembered)
    return found


def _end_copies(scheme: SessionCookie, logins: list[LoginRecord], request: Request, user_was_loaded: bool) -> bool:
    """End logins in the store. Return whether that ended all sessions of a user, whose devices were too many."""
    return any([_end_copies_of(scheme, login, request, user_was_loaded) for login in logins])  # noqa: C419  # all end


def _end_copies_of(scheme: SessionCookie, login: LoginRecord, request: Request, user_was_loaded: bool) -> bool:
    if scheme._entries is None:
        return False
    try:
        if scheme._was_ended(login, request):
            return False
    except SessionStolen:
        return False
    accepted = True
    try:
        if not user_was_loaded:
            user: object = scheme.load(login.subject)
            accepted = user is not None and user is not False
    except AuthError as error:  # If the loader is unavailable, the user may exist, and wants the session to end.
        accepted = not isinstance(error, InvalidCredentials)
    finally:  # If the loader is broken, the session ends as well, and the exception passes.
        all_ended = accepted and scheme._entries.end(login)
    return all_ended


def _begin_time(scheme: SessionCookie, subject: str) -> float:
    return (
        time.time()
        if scheme._entries is None
        else scheme._entries.not_before.begin_time(subject, scheme.realm_in_force())
    )
