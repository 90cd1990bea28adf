"""`Introspection`: tokens that only the authorization server can read (RFC 7662)."""

import copy
import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any, Final

from flask import Flask

from ..errors import AuthUnavailable, ConfigurationError, ExpiredCredentials, InvalidCredentials, shown
from ..http_client.client import Fetcher, checked_time
from ..identity import Identity
from ..stores.locks import renew_after_fork
from ..wire.grammar import LARGEST_AUTHORIZATION
from .claims import RolesPaths, check_parts, checked_callable, checked_names, claim_path, with_user
from .discovery import check_issuer
from .introspection_answer import Policy
from .introspection_endpoint import ClientAuth, Endpoint, IntrospectionRefused, Post, client_credentials

__all__ = ["Introspection", "IntrospectionRefused"]

MAX_ANSWER: Final = 64 * 1024
"""Longest answer, in bytes."""
TIMEOUT: Final = 2.0
"""Longest time for an answer, in seconds."""
MAX_CACHE: Final = 600.0
"""Longest time for which the answer "active" may be cached, in seconds."""
MAX_NEGATIVE_CACHE: Final = 10.0
"""Longest time for which a rejection may be cached, in seconds."""


class Introspection:
    """A loader that asks the authorization server about each token::

        Bearer(Introspection("https://id.example.com/introspect", client_id="api", client_secret=…,
                             audience="https://api.example.com"))

    A token is valid if the server says ``active: true`` and the rest of the answer agrees: ``exp`` and ``nbf`` hold,
    ``aud`` names one of ``audience`` (write ``audience=None`` for servers that name none), ``iss`` is ``issuer`` if the
    answer has one, and nothing marks a refresh token or an ID token, which many servers call active as well. If the
    server doesn't answer, rejects these client credentials, or sends no answer of RFC 7662, that is `AuthUnavailable`
    (503), never a 401.

    ``client_id`` and ``client_secret`` say who asks, as ``client_auth`` has it: ``"client_secret_basic"`` or
    ``"client_secret_post"``; or ``access_token`` does, a str or a callable that returns one. ``subject`` is the member
    that names the caller, ``roles_claim`` where the roles are: ``"roles"``, ``"realm_access.roles"``, a tuple of
    names, or a list of these. ``user(identity)`` looks up your user object; ``None`` refuses; it may be async and is
    asked each time.

    The answer "active" is cached for ``cache`` seconds, but never past ``exp``, and a rejection for ``negative_cache``
    seconds; 0 caches nothing. A revoked token is accepted until the cached answer expires; see `fresh` for views that
    can't accept that. The cache is in this process. It holds SHA-256 digests of tokens, at most ``max_cached`` for each
    of the two kinds of answers.

    At most ``max_concurrent`` tokens are asked about at a time, more are 503. ``timeout`` (seconds), ``ca_file`` and
    ``allow_http_loopback`` are those of `Fetcher`; ``post`` takes its place: your callable of URL, form and headers,
    which returns the body and has to bound time and size itself. It raises `IntrospectionRefused` where the server
    answered with another status than 200; an `OSError` counts as an outage of the server.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        audience: str | Collection[str] | None,
        client_id: str | None = None,
        client_secret: str | None = None,
        client_auth: ClientAuth = "client_secret_basic",
        access_token: str | Callable[[], str] | None = None,
        issuer: str | None = None,
        subject: str = "sub",
        roles_claim: RolesPaths | None = None,
        user: Callable[[Identity], Any] | None = None,
        cache: float = 60,
        negative_cache: float = 10,
        max_cached: int = 10_000,
        max_concurrent: int = 32,
        timeout: float = TIMEOUT,
        ca_file: str | os.PathLike[str] | None = None,
        allow_http_loopback: bool = False,
        post: Post | None = None,
    ) -> None:
        max_concurrent = _count("max_concurrent", max_concurrent)
        fetcher = Fetcher(
            limit=MAX_ANSWER,
            timeout=timeout,
            ca_file=ca_file,
            allow_http_loopback=allow_http_loopback,
            keep_alive=max_concurrent,
        )
        if endpoint is not None:
            if post is None:  # a post= of the app's own decides about the URL
                fetcher.check(endpoint)
        elif issuer is None or post is not None:
            raise ConfigurationError(
                "Introspection needs the endpoint's URL, or, without post=, the issuer= whose metadata names it"
            )
        else:
            check_issuer(issuer, allow_http_loopback=allow_http_loopback)
        self._endpoint = Endpoint(
            endpoint,
            issuer=issuer if endpoint is None else None,
            credentials=client_credentials(client_id, client_secret, client_auth, access_token),
            fetcher=fetcher,
            post=checked_callable("post", post),
            max_concurrent=max_concurrent,
        )
        audiences = None if audience is None else checked_names("audience", audience)
        self._policy = Policy(audiences, issuer, subject, claim_path(roles_claim))
        self._user = checked_callable("user", user)
        self._cache = Cache(
            _seconds("cache", cache, MAX_CACHE),
            _seconds("negative_cache", negative_cache, MAX_NEGATIVE_CACHE),
            _count("max_cached", max_cached),
        )
        self._asks_each_time = False

    def fresh(self) -> "Introspection":
        """A loader that asks the server about each token anew, and replaces the cached answer.

        For views where a revoked token must not pass for another second: ``careful = Bearer(introspection.fresh())``
        beside ``bearer = Bearer(introspection)`` in one `Auth`, and ``via=careful`` on those views, ``via=bearer`` on
        the others (``auth.protect(app, via=bearer)`` says it once for all).
        """
        twin = copy.copy(self)
        twin._asks_each_time = True
        return twin

    def __call__(self, token: str) -> Identity:
        """Whose ``token`` is. Raises `InvalidCredentials`, `ExpiredCredentials`, or `AuthUnavailable`."""
        if not 0 < len(token) <= LARGEST_AUTHORIZATION or not token.isascii() or not token.isprintable():
            raise InvalidCredentials(
                reason=f"the token has {len(token)} characters, expected 1 to {LARGEST_AUTHORIZATION} of printable "
                "ASCII"
            )
        digest = hashlib.sha256(token.encode("ascii")).digest()
        identity = None if self._asks_each_time else self._cache.get(digest)
        if identity is None:
            identity = self._asked(token, digest)
        del token  # what follows may fail, and a traceback shows locals
        return identity if self._user is None else with_user(identity, self._user)

    def check_app(self, app: Flask) -> None:
        """Called before an app's first request: whatever the look-up has to check."""
        check_parts(app, self._user)

    def _asked(self, token: str, digest: bytes) -> Identity:
        asked = self._cache.begin(digest)
        try:
            answer = self._endpoint.ask(token)
            try:
                identity = self._policy.identity(answer, time.time())
            except InvalidCredentials as refusal:
                self._cache.put_refusal(digest, refusal, asked)
                raise
            except AuthUnavailable as trouble:
                self._endpoint.broken(trouble)
                raise
            self._cache.put(digest, identity, asked)
            return identity
        finally:
            self._cache.end(digest)

    def __repr__(self) -> str:
        return f"<{self._endpoint.who[0].upper()}{self._endpoint.who[1:]}>"


_Refusal = tuple[type[InvalidCredentials], str | None]


class _Asking:
    """The questions about one token that are under way: how many, and the newest answer so far."""

    __slots__ = ("count", "newest", "refusal")

    def __init__(self) -> None:
        self.count = 0
        self.newest = 0  # when its question was asked, as a number that `Cache.begin` gave
        self.refusal: _Refusal | None = None  # None where the newest answer is a good one


class Cache:
    """What was heard, for a while, by digest. Good and bad answers are counted apart: junk pushes out junk.

    Two questions about one token may be under way at once. The answer to the one that was asked later wins, whichever
    comes first: a slow "active" of before a logout must not replace the "inactive" of after it.
    """

    def __init__(self, good: float, bad: float, most: int) -> None:
        self.clock = time.monotonic
        self._good = good
        self._bad = bad
        self._most = most
        self._identities: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()
        self._refusals: OrderedDict[bytes, tuple[float, _Refusal]] = OrderedDict()
        self._asking: dict[bytes, _Asking] = {}  # as many as may be asked about at a time
        self._asked = 0
        self._lock = threading.Lock()
        renew_after_fork(self)

    def get(self, digest: bytes) -> Identity | None:
        """What was heard of a good token, ``None`` for nothing that still counts; a refusal is raised again."""
        found = self._identities.get(digest)
        if found is not None and found[0] > self.clock():
            identity = found[1]
            if identity.expires_at is not None and identity.expires_at <= time.time():
                raise ExpiredCredentials(
                    reason="exp has passed since the authorization server was asked: it is "
                    f"{shown(identity.expires_at)}, and now {time.time():.0f}"
                )
            return identity
        bad = self._refusals.get(digest)
        if bad is not None and bad[0] > self.clock():
            kind, reason = bad[1]
            raise kind(reason=f"{reason} (cached: see negative_cache=)")
        return None

    def begin(self, digest: bytes) -> int:
        """Called before the server is asked, and `end` after it; the number says what was asked later."""
        with self._lock:
            self._asked += 1
            self._asking.setdefault(digest, _Asking()).count += 1
            return self._asked

    def end(self, digest: bytes) -> None:
        """Forgets a question that was answered, or that got no answer."""
        with self._lock:
            asking = self._asking[digest]
            asking.count -= 1
            if not asking.count:
                del self._asking[digest]

    def put(self, digest: bytes, identity: Identity, asked: int) -> None:
        """Keeps a good answer. Raises the refusal that was heard to a later question."""
        with self._lock:
            if self._is_newest(digest, asked, None):
                self._refusals.pop(digest, None)
                self._keep(self._identities, digest, identity, self._good)
                return
            newer = self._asking[digest].refusal
        if newer is not None:
            raise newer[0](reason=f"{newer[1]} (answer to a later request)")

    def put_refusal(self, digest: bytes, refusal: InvalidCredentials, asked: int) -> None:
        """Keeps a bad answer: its class and reason, never the exception, whose traceback would keep the token alive."""
        kept = type(refusal), refusal.reason
        with self._lock:
            if self._is_newest(digest, asked, kept):
                self._identities.pop(digest, None)
                self._keep(self._refusals, digest, kept, self._bad)

    def _is_newest(self, digest: bytes, asked: int, refusal: _Refusal | None) -> bool:
        asking = self._asking[digest]
        if asked < asking.newest:
            return False
        asking.newest, asking.refusal = asked, refusal
        return True

    def _keep(self, kept: OrderedDict[bytes, tuple[float, Any]], digest: bytes, value: Any, seconds: float) -> None:
        kept.pop(digest, None)
        now = self.clock()
        while kept and (len(kept) >= self._most or next(iter(kept.values()))[0] <= now):  # the oldest come first
            kept.popitem(last=False)
        if seconds:
            kept[digest] = (now + seconds, value)


# --- of the developer


def _seconds(name: str, value: float, most: float) -> float:
    return 0.0 if value == 0 and not isinstance(value, bool) else checked_time(name, value, most)


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000_000:
        raise ConfigurationError(f"{name} must be a whole number from 1 to 1000000, not {value!a}")
    return value
