"""`Throttle`: limits on failed attempts, for schemes and for login forms.

A scheme with ``throttle=`` reserves an attempt before its loader runs (`Throttle.reserve`), and settles it afterwards
(`SchemeAttempt`). So parallel guesses can't pass together, and no password is hashed for a refused one. A login form
does the same with ``with throttle.attempt(name) as attempt``.

An attempt takes one of these ways:

1. Credentials that this process accepted within the last minutes aren't a guess. They need no reservation, only a look
   at the pair's wait. Without this look, a caller beyond the limit could find out the password: of all guesses the
   right one alone would pass. For the same reason the shortcut is closed while the network is suspect.
2. Credentials that are under way, or were rejected a moment ago, are the same guess. See `recent`.
3. All others reserve an attempt in the store. See `counters`.

These are failures: a rejected name and password, a wrong Digest response, and an unknown token. Expired and revoked
credentials don't count, because an old job must not throttle all clients of its network. A stale nonce, missing or
malformed credentials, 403 and 503 don't count either. An exception gives the attempt back.

Tokens have no subject. Their pair is the whole token and the network, so one unknown token that a program keeps
sending is refused long before it uses up the limit of its network.

With ``disable_after``, consecutive failures of a subject are counted beside all this. See `disabled`.

If the store is unavailable before the loader ran, ``on_outage=`` decides. Afterwards it changes nothing: the caller's
credentials were right or wrong, and the counters are too high by one until they expire.
"""

import hashlib
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Literal

from flask import Flask, current_app, request
from werkzeug.exceptions import HTTPException

from .. import signals
from ..arguments import explains_arguments, validated_whole_seconds
from ..errors import (
    AuthError,
    AuthUnavailable,
    ConfigurationError,
    ExpiredCredentials,
    InvalidCredentials,
    InvalidProof,
    NonceRequired,
    RevokedCredentials,
    StepUpRequired,
    Unauthorized,
)
from ..events import claim_subject, log_event, shown_subject, subject_hash
from ..logs import log
from ..stores.base import EVICTABLE_PURPOSE, Store, validated_store
from ..subjects import short_name, subject_key
from .counters import Counters, Refusal, Reservation, Source, refusal_error
from .disabled import validated_disable_after
from .limits import DAY, Limit, validated_limit
from .networks import Network, network_of
from .recent import Entry, RecentCredentials, State, SuspectNetworks

_current_app_object: Final = current_app._get_current_object  # type: ignore[attr-defined]  # a LocalProxy has it
_NO_GUESS: Final = (ExpiredCredentials, RevokedCredentials, InvalidProof, NonceRequired, StepUpRequired)
"""Refusals with 401 of credentials that aren't unknown."""
_MAX_WARNINGS: Final = 100
_REFUSALS: Final = frozenset(range(400, 500)) - {429}
"""The statuses by which the view of a login form refuses what was entered."""


class Throttle:
    """Limits on failed attempts to log in.

    Give it to `Basic`, `Digest`, `Bearer` or `APIKey` as ``throttle=``, and use `attempt` in the view of a login form.
    One object may serve all of them, so that they share their counters. A caller beyond a limit gets 429 with
    ``Retry-After``, and no loader runs.

    No account is locked, unless the app asks for it with ``disable_after``. A subject beyond its limit is only delayed,
    and not for networks from which it logged in within the last 30 days.

    Example:
        Limit failures of Basic and of a login form together::

            from flask_unauthorized import Auth, Basic
            from flask_unauthorized.stores.sqlite import SQLiteStore
            from flask_unauthorized.throttle import Throttle

            throttle = Throttle(SQLiteStore("throttle.db"))
            auth = Auth(Basic(load_user, throttle=throttle), app=app)

    Args:
        store: Holds the counters. All processes should share it: `SQLiteStore` or `RedisStore`.
        per_pair: Failures of one subject from one network: an IPv4 address, or the /64 of an IPv6 address. After
            ``failures`` of them, each further attempt has to wait: ``seconds``, then twice as long each time. They are
            forgotten after a success, and after a day.
        per_subject: Failures of one subject from all networks. Beyond this, a network without an earlier login as
            the subject waits 30 seconds between attempts, and ``max_wait`` beyond twice the limit.
        per_network: Failures from one network, for all subjects.
        max_wait: The longest wait, in seconds or as a `timedelta`: at most one day.
        on_outage: What happens if the store is unavailable: ``"refuse"`` responds with 503, ``"allow"`` goes on without
            limits.
        disable_after: How many consecutive failures disable a subject, from all networks together. Its attempts then
            get 429, and no loader runs, until the app calls `enable`. NIST SP 800-63B-4 §3.2.2 demands at most 100.
            Anyone who knows a name can disable it in this way, so it is off by default. Give this throttle a store of
            its own: the counters of invented names are never evicted.

    Raises:
        ConfigurationError: If a value can't be used, or the store has no counters for a throttle.
        TypeError: If a value has the wrong type.
    """

    @explains_arguments(store='write Throttle(SQLiteStore("/var/lib/app/auth.db")), so that all processes share it')
    def __init__(
        self,
        store: Store,
        *,
        per_pair: Limit = Limit(5, 60),  # noqa: B008  # a Limit can't be changed
        per_subject: Limit = Limit(50, DAY),  # noqa: B008  # a frozen value
        per_network: Limit = Limit(100, 60),  # noqa: B008  # a frozen value
        max_wait: int | timedelta = 3600,
        on_outage: Literal["refuse", "allow"] = "refuse",
        disable_after: int | None = None,
    ) -> None:
        self.store: Final = validated_store(store)
        if not store.can_throttle:
            raise ConfigurationError(
                f"{type(store).__name__} has no counters for a throttle: implement its methods _increment_many, "
                "_decrement and _forget, or use MemoryStore, SQLiteStore or RedisStore"
            )
        if on_outage not in ("refuse", "allow"):
            raise ConfigurationError(f"on_outage={on_outage!r} must be 'refuse' or 'allow'")
        self.on_outage: Final = on_outage
        self.disable_after: Final = disable_after
        self._disabled = validated_disable_after(disable_after, store, on_outage)
        longest = validated_whole_seconds("max_wait", max_wait, least=1, most=DAY)
        self._counters = Counters(
            store,
            per_pair=validated_limit("per_pair", per_pair),
            per_subject=validated_limit("per_subject", per_subject),
            per_network=validated_limit("per_network", per_network),
            max_wait=longest,
        )
        if per_pair.seconds > longest:
            raise ConfigurationError(f"per_pair={per_pair!r} waits longer than max_wait={longest}: allow more")
        self._recent = RecentCredentials()
        self._suspects = SuspectNetworks(per_network.seconds)
        self._warned: set[str] = set()
        self.needs_check = True
        """Whether `check_app` wasn't called yet."""

    def attempt(self, name: str) -> "Attempt":
        """Return the attempt of a login form, for ``with throttle.attempt(name) as attempt``.

        Entering the block raises `TooManyAttempts` beyond a limit. The attempt counts as a failure unless the block
        calls ``attempt.succeeded()``. If the block raises an exception that isn't a refusal (4xx), the attempt doesn't
        count.

        Args:
            name: The name that was entered, in any spelling.

        Raises:
            TypeError: If ``name`` isn't a ``str``.
        """
        if not isinstance(name, str):
            raise TypeError(f"attempt() takes the name that was entered, a str, not a {type(name).__name__}")
        return Attempt(self, name)

    def enable(self, name: str) -> bool:
        """Let callers log in as a disabled subject again, and forget its failures. Waits of networks stay.

        Args:
            name: The name of the subject, in any spelling.

        Returns:
            Whether the subject was disabled, so that its attempts were refused.

        Raises:
            AuthUnavailable: If the store is unavailable.
            ConfigurationError: If this throttle has no ``disable_after``.
            TypeError: If ``name`` isn't a ``str``.
        """
        if not isinstance(name, str):
            raise TypeError(f"enable() takes the name of a subject, a str, not a {type(name).__name__}")
        if self._disabled is None:
            raise ConfigurationError("enable() was called, but this throttle disables no subject: give disable_after=")
        subject = subject_key(name)
        was_disabled = self._disabled.enable(subject)
        self.store.forget(EVICTABLE_PURPOSE, f"subject {subject}", f"turn-short {subject}", f"turn-long {subject}")
        return was_disabled

    def check_app(self, app: Flask, use: str) -> None:
        """Check the set-up before an app's first request.

        Args:
            app: The app.
            use: Who counts attempts, such as ``"Basic"``.

        Raises:
            ConfigurationError: If the store can't work.
        """
        self.needs_check = False
        self.store.check()
        self.store.check_processes(app, f"{use}: failed attempts", consequence="each process counts for itself")

    # --- what verification calls

    def reserve(
        self,
        name: str | None,
        credentials: tuple[str, ...] | None,
        environ: Mapping[str, Any],
        scheme: str | None = None,
    ) -> "SchemeAttempt":
        """Reserve the attempt of a request with credentials.

        Args:
            name: The name that the credentials give for the caller; ``None`` for a token.
            credentials: What the loader gets; ``None`` if requests with the same secret can't be recognized.
            environ: The WSGI environment of the request.
            scheme: The name of the scheme, for the log. ``None`` in a login form.

        Raises:
            TooManyAttempts: If the caller has to wait.
            AuthUnavailable: If the store is unavailable.
        """
        if name is not None:
            name = short_name(name)  # The table of recent credentials must not hold names as long as a client likes.
        network = network_of(environ)
        if network.is_shared:
            self._warn_of_missing_proxy_fix(network)
        if credentials is None:
            return self._lead(Source(subject_key(name or ""), name, network), None, environ, scheme)
        tag = self._recent.tag(network.key, credentials)
        entry = self._recent.find(tag)
        if entry is not None and self._is_known(entry, name, network.key, scheme):
            return SchemeAttempt(self, entry.source, entry, None)
        source = Source(_token_key(credentials) if name is None else subject_key(name), name, network)
        for _ in range(2):
            entry, is_leader = self._recent.lead(tag, entry, source)
            if is_leader:
                try:
                    return self._lead(source, entry, environ, scheme)
                finally:
                    entry.lock.release()
            if self._is_known(entry, name, network.key, scheme):
                return SchemeAttempt(self, source, entry, None)
        # Other requests with the same credentials were refused meanwhile, and so will this one.
        return self._lead(source, None, environ, scheme)

    def _is_known(self, entry: Entry, name: str | None, network: str, scheme: str | None) -> bool:
        """Return whether credentials need no reservation. Raises `TooManyAttempts` if their pair has to wait."""
        state = entry.state
        if state is State.ACCEPTED:
            until = self._suspects.until.get(network)
            known = until is None or until <= time.monotonic()
        else:
            known = entry.repeat(after_rejection=name is not None)
        if known and name is not None and self._disabled is not None and self._disabled.contains(entry.source.subject):
            raise self._refusal(self._disabled_refusal(), entry.source, scheme)
        if not known or name is None or state is State.VERIFYING:
            return known
        try:
            wait = self._counters.wait(entry.wait_key)
        except AuthUnavailable as error:
            self._allow_outage(error)
            return True
        if wait > 0:
            raise self._refusal(Refusal("pair", max(1.0, wait)), entry.source, scheme)
        return True

    def _lead(
        self, source: Source, entry: Entry | None, environ: Mapping[str, Any], scheme: str | None
    ) -> "SchemeAttempt":
        """Reserve an attempt in the store."""
        is_reserved = False
        count = 0
        try:
            self.store.check_workers(environ)
            if self._disabled is not None and source.name is not None:
                count = self._disabled.reserve(source.subject)
                if not count:
                    raise self._disabled_refusal()
            reservation = self._counters.reserve(source)
            is_reserved = True
        except Refusal as refusal:
            raise self._refusal(refusal, source, scheme) from None
        except AuthUnavailable as error:
            self._allow_outage(error)
            reservation = None
        finally:
            if entry is not None and not is_reserved:
                entry.give_up()
            if count and not is_reserved:
                self._give_back_count(source)
        return SchemeAttempt(self, source, entry, reservation, count)

    def _refusal(self, refusal: Refusal, source: Source, scheme: str | None) -> AuthError:
        """Return the 429 for a refused attempt, after the signal."""
        self._suspects.add(source.network.key)
        error = refusal_error(refusal, source, getattr(self._counters, f"per_{refusal.limit}", None))
        log_event(
            logging.INFO,
            "throttled",
            "%s",
            error.reason,
            scheme=scheme,
            subject=source.name,
            reason_code=error.reason_code,
        )
        if signals.throttled.receivers:
            signals.send(
                signals.throttled,
                _current_app_object(),
                scheme=scheme,
                limit=refusal.limit,
                subject=None if source.name is None else subject_hash(_current_app_object(), source.name),
                network=source.network.key,
                retry_after=error.retry_after,
            )
        return error

    def _disabled_refusal(self) -> Refusal:
        # The wait of a subject that is far beyond its limit. A client can't tell the two apart.
        return Refusal("disabled", float(self._counters.max_wait))

    def _give_back_count(self, source: Source) -> None:
        with suppress(AuthUnavailable):
            self._disabled.give_back(source.subject)  # type: ignore[union-attr]  # it has counted

    def _settle_count(self, attempt: "SchemeAttempt", outcome: State) -> None:
        """Settle an attempt of a subject that may be disabled. Its failure may disable it."""
        disabled, source = self._disabled, attempt.source
        if disabled is None or source.name is None:
            return
        if outcome is State.REJECTED:
            if disabled.failed(source.subject, attempt.count):
                self._report_disabled(source, disabled.limit)
        elif attempt.count and outcome is State.ACCEPTED:
            disabled.succeeded(source.subject)
        elif attempt.count:
            disabled.give_back(source.subject)

    def _report_disabled(self, source: Source, limit: int) -> None:
        name, app = source.name or "", _current_app_object()
        log_event(
            logging.WARNING,
            "subject_disabled",
            "throttle: the subject %s is disabled after %d consecutive failures, the last from %s: call "
            "throttle.enable(name) when its owner has a new password",
            shown_subject(name),
            limit,
            source.network.key,
            subject=name,
        )
        signals.send(signals.subject_disabled, app, subject=subject_hash(app, name), network=source.network.key)

    def _allow_outage(self, error: AuthUnavailable) -> None:
        """Log an outage of the store, or raise it."""
        if self.on_outage == "refuse":
            raise error
        log.warning("throttle: attempts aren't limited, because on_outage='allow' and %s", error.reason)

    def _warn_of_missing_proxy_fix(self, network: Network) -> None:
        if network.key not in self._warned and len(self._warned) < _MAX_WARNINGS:
            self._warned.add(network.key)
            log.warning(
                "throttle: requests of all clients seem to come from the address %r, which is that of a proxy, so "
                "per_network= isn't enforced for it, and one attacker can delay all clients: wrap the app in ProxyFix; "
                "for forward_auth let the proxy send X-Forwarded-For",
                network.key,
            )

    # --- how an attempt ends

    def settle(self, attempt: "SchemeAttempt", outcome: State) -> None:
        """Settle an attempt. An outage of the store is logged, because the credentials were judged."""
        entry, reservation = attempt.entry, attempt.reservation
        if outcome is State.REJECTED:
            self._suspects.add(attempt.source.network.key)
        try:
            if reservation is not None:
                self._settle_count(attempt, outcome)
                _END[outcome](reservation)
            elif outcome is State.REJECTED and entry is not None and entry.state in (State.ACCEPTED, State.UNDECIDED):
                # This failure was not reserved: the credentials were valid a moment ago, or their leader gave up.
                self._settle_count(attempt, outcome)
                self._counters.count_failure(attempt.source)
        except AuthUnavailable as error:
            log.warning("throttle: an attempt couldn't be settled: %s", error.reason)
        if entry is None:
            return
        if outcome is State.REJECTED:
            entry.reject()
        elif reservation is not None:
            if outcome is State.ACCEPTED:
                entry.accept()
            else:
                entry.give_up()

    def __repr__(self) -> str:
        counters = self._counters
        return (
            f"<Throttle per_pair={counters.per_pair!r} per_subject={counters.per_subject!r} "
            f"per_network={counters.per_network!r}>"
        )


_END: Final = {
    State.ACCEPTED: Reservation.succeeded,
    State.REJECTED: Reservation.failed,
    State.UNDECIDED: Reservation.given_back,
}


class SchemeAttempt:
    """An attempt under way. Verification settles it by one of its three methods.

    Attributes:
        source: What it is counted by.
        entry: What this process knows of the credentials, if it can tell them.
        reservation: The reserved attempt; ``None`` if it needs none.
        count: The number of the attempt since the last success of its subject, with ``disable_after``; otherwise 0.
    """

    __slots__ = ("count", "entry", "reservation", "source", "throttle")

    def __init__(
        self, throttle: Throttle, source: Source, entry: Entry | None, reservation: Reservation | None, count: int = 0
    ) -> None:
        self.count = count
        self.throttle = throttle
        self.source = source
        self.entry = entry
        self.reservation = reservation

    def succeeded(self) -> None:
        """Settle the attempt of a caller whose credentials are valid."""
        if self.reservation is not None:
            self.throttle.settle(self, State.ACCEPTED)

    def refused(self, error: AuthError) -> None:
        """Settle the attempt of a refused request: only rejected credentials are a failure."""
        is_failure = isinstance(error, Unauthorized) and not isinstance(error, _NO_GUESS)
        self.throttle.settle(self, State.REJECTED if is_failure else State.UNDECIDED)

    def given_back(self) -> None:
        """Settle the attempt of a request that failed for another reason."""
        self.throttle.settle(self, State.UNDECIDED)


class Attempt:
    """An attempt of a login form: see `Throttle.attempt`.

    Example:
        Limit the attempts of a login form::

            from flask_unauthorized.stores.memory import MemoryStore
            from flask_unauthorized.throttle import Throttle

            throttle = Throttle(MemoryStore(single_process=True))

            @app.post("/login")
            def login():
                with throttle.attempt(request.form["name"]) as attempt:
                    if not is_right_password(request.form["name"], request.form["password"]):
                        return "Name or password is wrong.", 422
                    attempt.succeeded()
                auth.login(request.form["name"])
                return redirect(auth.next_url())
    """

    def __init__(self, throttle: Throttle, name: str) -> None:
        self._throttle = throttle
        self._name = name
        self._attempt: SchemeAttempt | None = None

    def __enter__(self) -> "Attempt":  # noqa: PYI034  # Self is in 3.11
        """Reserve the attempt.

        Raises:
            TooManyAttempts: If the caller has to wait.
            AuthUnavailable: If the store is unavailable.
        """
        throttle = self._throttle
        if throttle.needs_check:  # Perhaps no scheme has this throttle, so it wasn't checked.
            throttle.needs_check = False
            throttle.check_app(_current_app_object(), "Throttle.attempt")
        claim_subject(request, self._name)
        self._attempt = throttle.reserve(self._name, None, request.environ)
        return self

    def succeeded(self) -> None:
        """Say that name and password were right. Call it before the login.

        Raises:
            RuntimeError: If it is called outside of the ``with`` block.
        """
        if self._attempt is None:
            raise RuntimeError("succeeded() was called outside of the with block of its attempt, or twice")
        attempt, self._attempt = self._attempt, None
        attempt.succeeded()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Count the attempt as a failure, or give it back after an exception that isn't a refusal."""
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        if error is None or (isinstance(error, HTTPException) and error.code in _REFUSALS):
            attempt.throttle.settle(attempt, State.REJECTED)
            if not isinstance(error, AuthError):  # That one is logged where it is handled.
                log_event(
                    logging.INFO,
                    "refused",
                    "refused %s: an attempt to log in failed",
                    request.endpoint,
                    subject=self._name,
                    reason_code=InvalidCredentials.reason_code,
                )
        else:
            attempt.given_back()


def validated_throttle(throttle: Any) -> Throttle:
    """Return ``throttle``.

    Raises:
        TypeError: If it isn't a `Throttle`.
    """
    if not isinstance(throttle, Throttle):
        raise TypeError(
            f"throttle must be a Throttle, not {type(throttle).__name__}: write throttle=Throttle(SQLiteStore(path))"
        )
    return throttle


def _token_key(credentials: tuple[str, ...]) -> str:
    """Return the key of a token: a hash of the whole token. Tokens of one kind begin alike, as JWTs do."""
    return hashlib.sha256("\0".join(credentials).encode(errors="surrogatepass")).hexdigest()
