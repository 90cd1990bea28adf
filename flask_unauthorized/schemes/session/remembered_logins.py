"""Remembered logins: a second cookie opens a session for a user whose session has ended.

The cookie counts only if the session holds no live login. It is verified in these steps:

1. The entry of its device is read. A missing or ended one, one that has reached its end, one whose user has ended all
   sessions since the login, and one of another series: the cookie isn't valid, and the browser drops it. A secret of
   another series is a guess, and no theft. Otherwise anyone who finds the id in an old session cookie could end the
   login.
2. `flask_unauthorized.rotation` judges the secret. A secret that was replaced before is in use in two places. That ends
   the device with all its sessions, once, and the caller gets `SessionStolen` until they log in again. A login or a
   logout with such a cookie ends the device as well, and then goes on.
3. The loader is asked for the user before anything is written. A rejected user ends the device. If the loader is
   unavailable, everything stays as it is.
4. One compare and swap writes the new state. A request that loses it begins again. By then its secret has usually a
   successor, so that it is a repetition.
5. A session with the id of the device is opened, and the response carries the next secret.

These rules hold:

- A repetition (a browser that restores twenty tabs) gets the same session and no cookie. Its session isn't marked as
  modified, so the response sends no session cookie because of it either.
- The time and the class of the login stay those of the original login, so ``max_age=`` still asks for a fresh one.
- Nothing is written once the response has left, and for the handshake of a WebSocket, because the browser would not
  get the next secret. A valid cookie still names its user then.
- A store that is unavailable deletes no cookie.
- The store holds hashes of the secrets. No secret is logged, signaled, or shown by ``repr``.

The response is made by other code. What is to happen to the cookie is therefore remembered as a `CookieChange`.
"""

import hmac
import logging
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, NamedTuple, NoReturn

from flask import Request, current_app

from ... import signals
from ...errors import AuthUnavailable, InvalidCredentials, SessionStolen
from ...errors.codes import with_code
from ...events import log_event, shown_subject
from ...rotation import Outcome, Rotation, present, secret_hash
from ..base import Scheme
from ..state_access import has_response_left, remember_for_response, remembered_for_response
from .devices import STOLEN, Device, public_id
from .entries import STOLEN_REASON, SessionEntries
from .flask_session import open_session
from .record import LoginRecord, RememberedRecord
from .remember_cookie import PresentedCookie, cookie_value, has_only_other_realms, new_secret, read_cookie, series_key
from .storage import MAX_ATTEMPTS, too_many_changes

_real_app: Final = current_app._get_current_object  # type: ignore[attr-defined]  # a LocalProxy has it
_NOT_ASKED: Final = object()
_ALL_ENDED_REASON: Final = "Cookie: the remembered login was ended by end_sessions(): log in again"


class CookieChange(NamedTuple):
    """What the response does to the cookie.

    Attributes:
        value: The value to set. ``None`` deletes the cookie.
        max_age: How long the browser keeps the value, in seconds.
        opens_session: Whether the cookie of the request has opened a session.
    """

    value: str | None
    max_age: int = 0
    opens_session: bool = False

    def __repr__(self) -> str:
        return "<CookieChange>"


class RememberedLogins:
    """The remembered logins of one `SessionCookie`.

    Args:
        scheme: The scheme.
        entries: What its store remembers.
        lifetime: How long a login is remembered, in seconds.
    """

    def __init__(self, scheme: Scheme[Any], entries: SessionEntries, lifetime: int) -> None:
        self._scheme = scheme
        self._entries = entries
        self._lifetime = lifetime

    # --- what comes with a request

    def read(self, request: Request, realm: str) -> PresentedCookie | None:
        """Return the cookie of a request, unless this request has dropped it. Neither store nor loader is asked."""
        change = self.change_of(request)
        if change is not None and change.value is None:
            return None
        cookie, is_dead = read_cookie(request, _real_app(), realm)
        if is_dead:
            self._drop(request)
        return cookie

    def verify(self, cookie: PresentedCookie, request: Request) -> object:
        """Return what the loader returned for the user of a cookie.

        Args:
            cookie: What `read` returned. Its last five attributes are set.
            request: The request.

        Raises:
            AuthUnavailable: If the store or the loader can't be asked.
            InvalidCredentials: If the cookie isn't valid.
            SessionStolen: If the cookie is in use in two places.
        """
        may_write = not has_response_left(request) and not _is_handshake(request)
        user: object = _NOT_ASKED
        for _ in range(MAX_ATTEMPTS):
            entry, device = self._find_valid(cookie, request)
            secret = new_secret(cookie.secret)
            outcome, rotation = _present(device, cookie, secret)
            if outcome is Outcome.REUSED:
                if self._end_stolen(cookie, entry, device, may_write):
                    raise SessionStolen(reason=STOLEN_REASON)
                continue
            if user is _NOT_ASKED:
                user = self._load(cookie, request, device)
            if user is None or user is False:
                return user
            is_rotated = may_write and outcome is Outcome.ROTATED
            if is_rotated:
                rotated = replace(device, rotation=rotation.to_text())
                if not self._rotate(cookie, request, entry, rotated, secret):
                    continue
                device = rotated
            login = self._record(cookie, device)
            if may_write:
                open_session(login, is_rotated)
            return user
        raise too_many_changes()

    def find_login(self, request: Request, realm: str) -> LoginRecord | None:
        """Return the login that the cookie of a request could open now, for a login or a logout, which ends it.

        Nothing is written, and a cookie that isn't valid has no login.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        cookie = self.read(request, realm)
        if cookie is None:
            return None
        try:
            _, device = self._find_valid(cookie, None)
        except InvalidCredentials:
            return None
        outcome, _ = _present(device, cookie, new_secret())
        return None if outcome is Outcome.REUSED else self._record(cookie, device)

    def end_stolen(self, request: Request, realm: str) -> None:
        """End the device of a cookie that is in use in two places, before a login or a logout.

        Raises:
            AuthUnavailable: If the store can't be asked.
        """
        cookie = self.read(request, realm)
        if cookie is None:
            return
        for _ in range(MAX_ATTEMPTS):
            try:
                entry, device = self._find_valid(cookie, None)
            except InvalidCredentials:
                return
            outcome, _ = _present(device, cookie, new_secret())
            if outcome is not Outcome.REUSED or self._end_stolen(cookie, entry, device, may_write=True):
                return
        raise too_many_changes()

    # --- what a login or a logout makes of it

    def begin(self, device: Device, login: LoginRecord) -> str:
        """Make a device a remembered one, and return its first secret."""
        device.until = time.time() + self._lifetime
        device.auth_time, device.acr, device.amr = login.auth_time, login.acr, sorted(login.amr) or None
        return self.renew(device)

    def renew(self, device: Device) -> str:
        """Begin another series of secrets for a remembered device, and return the first one."""
        secret = new_secret()
        device.series = secret_hash(series_key(secret))
        device.rotation = Rotation(secret_hash(secret)).to_text()
        return secret

    def send(self, request: Request, login: LoginRecord, device: Device, secret: str) -> None:
        """Let the response set the cookie of a login."""
        value = cookie_value(login.realm, login.session_id, secret)
        remember_for_response(self._scheme, request, CookieChange(value, _seconds_left(device)))

    def drop(self, request: Request, realm: str, *, if_sent: bool) -> None:
        """Let the response delete the cookie, unless it is one of another realm.

        Args:
            request: The request.
            realm: The realm.
            if_sent: Do so only if the request has one, or has been given one.
        """
        app = _real_app()
        cookie, is_dead = read_cookie(request, app, realm)
        is_there = cookie is not None or is_dead or self.change_of(request) is not None
        if is_there or not (if_sent or has_only_other_realms(request, app, realm)):
            self._drop(request)

    def change_of(self, request: Request) -> CookieChange | None:
        """Return what the response does to the cookie; ``None`` if nothing."""
        return remembered_for_response(self._scheme, request, CookieChange)

    # --- inside

    def _find_valid(self, cookie: PresentedCookie, request: Request | None) -> tuple[str, Device]:
        """Return the entry of the cookie's device, and the device. With ``request``, a dead cookie is dropped."""
        entry, found = self._entries.find(cookie.realm, cookie.session_id)
        if entry == STOLEN:
            raise SessionStolen(reason=STOLEN_REASON)
        if entry is None or found is None:
            what = "is not in store=" if entry is None else "was ended by logout(), end_session() or end_sessions()"
            self._reject(f"Cookie: the remembered login {what}: log in again", request, is_ended=entry is not None)
        device = found.device
        if device.until is None or time.time() > device.until:
            self._reject("Cookie: the login is not remembered any more (remember=): log in again", request)
        if self._entries.not_before.was_ended_with_all(device, cookie.realm):
            self._reject(_ALL_ENDED_REASON, request, is_ended=True)
        if not hmac.compare_digest(secret_hash(series_key(cookie.secret)), device.series or ""):
            self._reject("Cookie: the secret of the remember cookie was never issued: log in again", request)
        return entry, device

    def _reject(self, reason: str, request: Request | None, *, is_ended: bool = False) -> NoReturn:
        if request is not None:
            self._drop(request)
        error = InvalidCredentials(reason=reason)
        raise with_code(error, "session_ended") if is_ended else error

    def _end_stolen(self, cookie: PresentedCookie, entry: str, device: Device, may_write: bool) -> bool:
        """End a device whose cookie is in use in two places. Return ``False`` if its entry has changed."""
        if not may_write:
            return True
        if not self._entries.mark_stolen(cookie.realm, cookie.session_id, entry, device):
            return False
        session_id = public_id(cookie.session_id)
        log_event(
            logging.WARNING,
            "session_stolen",
            "the remember cookie of %s was used in two places, so it may have been stolen: the login was ended",
            shown_subject(device.subject),
            scheme=self._scheme.name,
            subject=device.subject,
            reason_code=SessionStolen.reason_code,
            session=session_id,
        )
        if signals.session_stolen.receivers:
            signals.send(
                signals.session_stolen,
                _real_app(),
                subject=device.subject,
                scheme=self._scheme.name,
                session=session_id,
            )
        return True

    def _rotate(self, cookie: PresentedCookie, request: Request, entry: str, rotated: Device, secret: str) -> bool:
        """Store the new state of a device, whose next session begins. Return ``False`` if its entry has changed.

        Args:
            cookie: The cookie.
            request: The request.
            entry: The entry of the device as it was read.
            rotated: The device with its new rotation. ``begun`` is set.
            secret: The next secret, which the response sends.
        """
        begun = self._entries.not_before.begin_time_of(rotated, cookie.realm)
        if begun is None:
            self._reject(_ALL_ENDED_REASON, request, is_ended=True)
        rotated.begun = begun
        if not self._entries.change(cookie.realm, cookie.session_id, entry, rotated):
            return False
        value = cookie_value(cookie.realm, cookie.session_id, secret)
        remember_for_response(self._scheme, request, CookieChange(value, _seconds_left(rotated), opens_session=True))
        self._entries.keep_listed(self._record(cookie, rotated), rotated)
        return True

    def _load(self, cookie: PresentedCookie, request: Request, device: Device) -> object:
        """Ask the loader for the user. A rejected one ends the device."""
        try:
            user: object = self._scheme.load(device.subject)
        except InvalidCredentials:
            self._end_rejected(cookie, request, device)
            raise
        if user is None or user is False:
            self._end_rejected(cookie, request, device)
        cookie.subject = device.subject
        return user

    def _end_rejected(self, cookie: PresentedCookie, request: Request, device: Device) -> None:
        with suppress(AuthUnavailable):  # The user is rejected again whenever the cookie is presented.
            self._entries.end(self._record(cookie, device))
        self._drop(request)

    def _record(self, cookie: PresentedCookie, device: Device) -> RememberedRecord:
        cookie.subject = device.subject
        cookie.auth_time = device.created if device.auth_time is None else device.auth_time
        cookie.acr, cookie.amr, cookie.issuer = device.acr, frozenset(device.amr or ()), device.issuer
        return RememberedRecord(
            device.subject,
            auth_time=cookie.auth_time,
            acr=device.acr,
            session_id=cookie.session_id,
            begun=device.latest_begin,
            last_used=time.time(),
            is_repeated=False,
            realm=cookie.realm,
            amr=cookie.amr,
            issuer=cookie.issuer,
        )

    def _drop(self, request: Request) -> None:
        remember_for_response(self._scheme, request, CookieChange(None))


def _present(device: Device, cookie: PresentedCookie, secret: str) -> tuple[Outcome, Rotation]:
    state = Rotation.from_text(device.rotation or "")
    return present(state, secret_hash(cookie.secret), secret_hash(secret), time.time())


def _seconds_left(device: Device) -> int:
    """Return how long a device is still remembered, in seconds."""
    return max(1, int((device.until or 0) - time.time()))


def _is_handshake(request: Request) -> bool:
    """Return whether the request opens a WebSocket, whose response may carry no cookie."""
    return getattr(request.url_rule, "websocket", False) or "websocket" in request.headers.get("Upgrade", "").lower()
