"""Digest (RFC 7616)."""

import hmac
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

from flask import Flask, Request, Response, current_app
from flask import request as current_request

from ..arguments import checked_flag, explains_arguments
from ..errors import (
    AuthError,
    ConfigurationError,
    InvalidCredentials,
    StaleNonce,
    configured_seconds,
    shown,
)
from ..stores.base import Store, checked_store
from ..stores.memory import MemoryStore
from ..wire import Challenge
from ..wire.digest import (
    ALGORITHMS,
    base_algorithm,
    digest_hash,
    legacy_response_hash,
    response_hash,
    secret_hash,
    session_hash,
)
from ..wire.grammar import quote
from .base import Loader, Scheme, warn_of_default_realm, warn_once
from .bodies import body_is_gone, raw_body
from .digest_credentials import (
    WITHOUT_QOP,
    DigestCredentials,
    percent_decoded,
    read_credentials,
)
from .nonces import MAX_SKEW, Nonces
from .options import chosen
from .origins import trusted

log: Final = logging.getLogger("flask_unauthorized")
MAX_BODY: Final = 1024 * 1024
"""Longest body that is hashed for ``auth-int`` unless told otherwise, in bytes."""
LEAST_LIFETIME: Final = 5
"""Shortest ``nonce_lifetime``, in seconds: the answer to a challenge takes a round trip, and clocks differ."""
_PROVED: Final = "_unauthorized_digest"
"""The private attribute of the request object that holds what ``Authentication-Info`` needs."""
_QOPS: Final = ("auth", "auth-int")
_NOBODY: Final = "the password of nobody"
_NO_USER: Final = "Digest: no user has the name: the loader, or name_of_hash=, returned None"
_WRONG_PASSWORD: Final = (
    "Digest: the response was not made with what the loader returned for the name: the password is wrong, or a stored "
    "hash is of another name, realm or password"
)


class Digest(Scheme[DigestCredentials]):
    """A proof of knowing a password, which itself isn't sent (RFC 7616). Every answer counts once.

    The loader gets a user's name, a ``str`` in NFC, and returns the secret: the password, or the stored hashes by
    algorithm, ``{"SHA-256": "7987c6…"}`` (see `hashes`); or a pair of that and what any loader may return, so that one
    look-up does; ``None`` for an unknown name. Without a pair the caller is an `Identity` with the name as its subject.

    - ``algorithms``: of ``SHA-256``, ``SHA-512-256`` (few clients know it), ``MD5`` (broken, for old clients) and their
      ``-sess`` variants. One challenge for each goes out, in the order given. Put the one that you prefer first
      (RFC 7616 §3.7). Some old clients look at the first challenge only, so they need ``("MD5", "SHA-256")``.
    - ``qop``: ``("auth", "auth-int")`` also takes answers that cover the body, ``("auth-int",)`` only those. Such
      bodies are read before the view runs, up to ``max_body`` bytes (413 beyond), and the view can still read them.
      A ``before_request`` function that reads the body must use ``request.get_data()``, which keeps a copy. Otherwise
      ``auth-int`` can't be verified for this request: it isn't offered, and answers with it are refused (401).
    - ``name_of_hash``: given the hash of a name and the algorithm (``"SHA-256"``), the name or ``None``; switches
      ``userhash`` on (§3.4.4), and `flask_unauthorized.wire.digest.name_hash` makes the hashes.
    - ``domain``: URIs of the protection space, when it isn't the whole host. ``opaque``: goes out, and may come back.
    - ``nonce_lifetime``: seconds, at least 5. A client whose nonce has expired gets a new one and goes on without
      asking its user.
    - ``nonce_uses``: how many requests one nonce serves, ``None`` for any number. ``nonce_uses=1`` makes one-time
      nonces; each request then takes two round trips, unless the client follows ``nextnonce``.
    - ``legacy``: also accepts answers without ``qop`` (RFC 2069), which old devices send. Such an answer counts once
      for its nonce, so a client that repeats a request needs a new nonce (``stale=true``). It holds nothing that the
      client chose, so an attacker who poses as the server can look passwords up in tables made beforehand.
    - ``store``: where used counts are kept; default a `MemoryStore`, which several processes don't share.
    - ``rspauth``, ``nextnonce``: send ``Authentication-Info`` (§3.5) with a proof of ours, and with the next nonce when
      the one in use is half over or has no use left.
    - ``trusted_origins``: other sites whose pages may send unsafe requests, which get 403 otherwise: browsers repeat a
      login by themselves, and a script of another origin that logs in on purpose looks the same.

    The realm goes into every hash: give ``realm``, or never rename the app. Raises `ConfigurationError`, `TypeError`.
    """

    name = "Digest"
    prompts = True
    static = False
    needs_loader = True
    names_subject = True
    specification: ClassVar[Mapping[str, tuple[str, str]]] = {
        "invalid_token": ("RFC 7616 §3.3, the Digest challenge", "https://www.rfc-editor.org/rfc/rfc7616#section-3.3"),
        "invalid_request": ("RFC 7616 §3.4, the Digest answer", "https://www.rfc-editor.org/rfc/rfc7616#section-3.4"),
    }
    curl_options = ("--digest", "-u", "NAME:PASSWORD")

    @explains_arguments()
    def __init__(
        self,
        loader: Loader | None = None,
        *,
        realm: str | None = None,
        algorithms: Sequence[str] = ("SHA-256",),
        qop: Sequence[str] = ("auth",),
        name_of_hash: Callable[[str, str], Any] | None = None,
        domain: Iterable[str] = (),
        opaque: str | None = None,
        nonce_lifetime: int = 300,
        nonce_uses: int | None = None,
        legacy: bool = False,
        store: Store | None = None,
        rspauth: bool = False,
        nextnonce: bool = False,
        max_body: int = MAX_BODY,
        trusted_origins: Iterable[str] = (),
    ) -> None:
        super().__init__(loader, realm=realm)
        self.trusted_origins = trusted(trusted_origins)
        self.algorithms = chosen("algorithms", algorithms, ALGORITHMS)
        # Clients prefer what stands first, and many of them hash bodies wrongly.
        self.qop = tuple(sorted(chosen("qop", qop, _QOPS)))
        self.legacy = _checked_legacy(legacy, self.qop)
        self._accepted_qops = (*self.qop, WITHOUT_QOP) if self.legacy else self.qop
        self.name_of_hash = name_of_hash
        self.domain = _domain(domain)
        self.opaque = opaque
        self.nonce_lifetime = configured_seconds("nonce_lifetime", nonce_lifetime, least=LEAST_LIFETIME)
        # How long uses are remembered, in seconds: longer than any worker takes the nonce, whatever its clock says.
        self._kept = self.nonce_lifetime + 2 * MAX_SKEW
        self.nonce_uses = _checked_uses(nonce_uses)
        self.store = MemoryStore() if store is None else checked_store(store)
        self.rspauth = checked_flag("rspauth", rspauth)
        self.nextnonce = checked_flag("nextnonce", nextnonce)
        self.max_body = max_body
        self._nonces = Nonces("digest")
        self._told_of: set[str | None] = set()  # endpoints that the log has named
        self._offered = {algorithm.lower(): algorithm for algorithm in self.algorithms}
        try:
            self._challenges("realm", "nonce", self.qop, stale=False)  # a wrong opaque or domain is found now
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        for algorithm in self.algorithms:
            _check_hash(algorithm)

    def hashes(self, name: str, password: str, *, realm: str | None = None) -> dict[str, str]:
        """What to store for a user in place of the password: a hash for each algorithm, for the loader to return.

        ``realm`` may be left out where the scheme has one. For this realm a hash is worth as much as the password
        (RFC 7616 §5.2), so keep them as safe.
        """
        realm = realm or self.realm
        if realm is None:
            raise ConfigurationError("hashes() needs the realm: Digest(realm=...), or hashes(..., realm=...)")
        return {base: secret_hash(base, name, realm, password) for base in map(base_algorithm, self.algorithms)}

    # --- what a scheme does

    def check(self, app: Flask) -> None:
        super().check(app)
        self._nonces.check(app)
        self.store.check()
        self.store.check_processes(app, "Digest: used counts")
        warn_of_default_realm(self, app, "Stored hashes")
        # Clients don't unescape it alike, so that they hash different realms.
        realm = self.realm if self.realm is not None else app.extensions["unauthorized"].realm
        if '"' in realm or "\\" in realm:
            raise ConfigurationError(f"realm={realm!a}: for Digest it must not hold a quote or a backslash")
        if any(scheme.name == "Basic" for scheme in app.extensions["unauthorized"].auth.schemes):
            warn_once(app, "Basic beside Digest: where a view takes both, passwords are as safe as with Basic alone")

    def read(self, request: Request, rest: str | None) -> DigestCredentials | None:
        return (
            None
            if rest is None
            else read_credentials(rest, request, self._offered, self._accepted_qops, self._is_fresh)
        )

    def verify(self, credentials: DigestCredentials, request: Request) -> object | None:
        realm = self.realm_in(request)
        if credentials.realm != realm:
            raise InvalidCredentials(
                reason=f"Digest: realm is {shown(credentials.realm)}, and the realm in force is {shown(realm)} "
                "(realm= of the scheme, of Auth, or UNAUTHORIZED_REALM)"
            )
        age = self._nonces.age(_real_app(), realm, credentials.nonce)
        if age is None:
            raise InvalidCredentials(
                reason=f"Digest: the nonce was not signed by this app for the realm {shown(realm)}, or SECRET_KEY "
                "changed: keep the old key in SECRET_KEY_FALLBACKS"
            )
        self.store.check_workers(request.environ)
        who: object
        body = self._body_hash(credentials, request) if credentials.qop == "auth-int" else ""
        if credentials.as_sent is None:
            secret, who = self._look_up(credentials, realm)
            a1 = self._matching(credentials, self._a1(secret, credentials, realm), body, request.method)
        else:
            a1, who = self._matching_either_name(credentials, realm, body, request.method)
        if a1 is None or who is None:
            raise InvalidCredentials(reason=_NO_USER if who is None else _WRONG_PASSWORD)
        last = self._use_up(credentials, age)
        if self.rspauth or self.nextnonce:
            setattr(request, _PROVED, (credentials, a1, realm, last or age > self.nonce_lifetime / 2))
        return who

    def subject(self, credentials: DigestCredentials) -> str | None:
        return credentials.name

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        nonce = self._nonces.mint(_real_app(), realm)
        qops = self.qop
        if len(qops) > 1 and body_is_gone(request):
            qops = ("auth",)
        return self._challenges(realm, nonce, qops, stale=isinstance(error, StaleNonce))

    def responds(self) -> bool:
        return self.rspauth or self.nextnonce

    def respond(self, response: Response, accepted: bool) -> None:
        proved = getattr(current_request, _PROVED, None)
        if accepted and proved is not None:
            value = self._authentication_info(response, *proved)
            if value:
                response.headers["Authentication-Info"] = value

    # --- inside

    def _challenges(self, realm: str, nonce: str, qops: tuple[str, ...], *, stale: bool) -> tuple[Challenge, ...]:
        """One for each algorithm; they differ in it alone, for clients mix them."""
        before = (
            ("realm", realm),
            *((("domain", self.domain),) if self.domain else ()),
            ("nonce", nonce),
            *((("opaque", self.opaque),) if self.opaque else ()),
            *((("stale", "true"),) if stale else ()),
        )
        after = (
            ("qop", ", ".join(qops)),
            ("charset", "UTF-8"),
            *((("userhash", "true"),) if self.name_of_hash is not None else ()),
        )
        return tuple(Challenge(self.name, (*before, ("algorithm", name), *after)) for name in self.algorithms)

    def _is_fresh(self, nonce: str, request: Request) -> bool:
        """Whether the nonce is one of ours that may still be used."""
        age = self._nonces.age(_real_app(), self.realm_in(request), nonce)
        return age is not None and -MAX_SKEW <= age <= self.nonce_lifetime

    def _matching_either_name(
        self, credentials: DigestCredentials, realm: str, body: str, method: str
    ) -> tuple[str | None, Any]:
        """H(A1) and the caller, of the one of two names that the response was made with; ``credentials.name`` gets it.

        Both are always looked up, so that the time doesn't tell which of them exists.
        """
        found: tuple[str | None, Any] = (None, None)
        right, refusal = credentials.name, None
        for name in (credentials.name, credentials.as_sent or ""):
            credentials.name = name
            try:
                secret, who = self._look_up(credentials, realm)
                a1 = self._matching(credentials, self._a1(secret, credentials, realm), body, method)
            except InvalidCredentials as error:  # of this name's user, who may be another one
                refusal = refusal or error
                continue
            if a1 is not None and who is not None:
                found, right = (a1, who), name
            elif found[1] is None:  # there is such a user, with another password
                found = (None, who)
        credentials.name = right
        if found[0] is None and refusal is not None:
            raise refusal
        return found

    def _look_up(self, credentials: DigestCredentials, realm: str) -> tuple[Any, Any]:
        """The secret, and who has it; for nobody a secret that nothing matches, so that it takes as long."""
        if credentials.hashed:
            name = self._name_behind(credentials)
            if name is None:
                return _NOBODY, None
            credentials.name = name
        found = self.load(credentials.name)
        if found is None and not credentials.hashed and credentials.as_sent is None:  # one more look-up at most
            decoded = percent_decoded(credentials.name)
            if decoded is not None:  # libcurl 8.23 sends names like that
                found = self.load(decoded)
                credentials.name = credentials.name if found is None else decoded
        if found is None:
            return _NOBODY, None
        secret, who = found if isinstance(found, tuple) and len(found) == 2 else (found, True)
        return secret, who

    def _name_behind(self, credentials: DigestCredentials) -> str | None:
        if self.name_of_hash is None:
            return None
        algorithm = base_algorithm(credentials.algorithm)
        name = self.ask("name_of_hash=", self.name_of_hash, credentials.name, algorithm)
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name_of_hash returned a {type(name).__name__}: return the name, or None")
        return name

    def _a1(self, secret: Any, credentials: DigestCredentials, realm: str) -> str:
        base = base_algorithm(credentials.algorithm)
        if isinstance(secret, str):
            if not secret:
                raise InvalidCredentials(
                    reason="Digest: the loader returned an empty password for the name, expected one that isn't empty"
                )
            return secret_hash(base, credentials.name, realm, secret)
        if not isinstance(secret, Mapping):
            raise TypeError(
                f"the loader of Digest returned a {type(secret).__name__} as the secret: return the password, the "
                "stored hashes by algorithm ({'SHA-256': …}), a pair of one of these and the user, or None"
            )
        stored = secret.get(base)
        if stored is None:
            raise InvalidCredentials(
                reason=f"Digest: the loader returned {len(secret)} hashes and none for {base}, which algorithms= "
                "offers: store one (see hashes())"
            )
        if not isinstance(stored, str) or _HEX.fullmatch(stored) is None or len(stored) != _LENGTHS[base]:
            raise TypeError(f"the hash for {base} that the loader of Digest returned is not one: see Digest.hashes()")
        return stored.lower()

    def _matching(self, sent: DigestCredentials, a1: str, body: str, method: str) -> str | None:
        """H(A1) if the response was made with it."""
        if not sent.algorithm.endswith("-sess"):
            return a1 if _is_made_with(sent, a1, body, method) else None
        # The session's own first nonces count (RFC 7616 §3.4.2), but many clients take those of the request.
        first = self.store.get("digest-session", sent.nonce)
        for cnonce in (sent.cnonce,) if first is None else (sent.cnonce, first):
            session = session_hash(sent.algorithm, a1, sent.nonce, cnonce)
            if _is_made_with(sent, session, body, method):
                if first is None:
                    self.store.put("digest-session", sent.nonce, cnonce, self._kept)
                return session
        return None

    def _use_up(self, sent: DigestCredentials, age: float) -> bool:
        """Counts this use of the nonce, and says whether it was the last one.

        Raises `StaleNonce`: the password was right, so the client may go on with a new nonce.
        """
        if not -MAX_SKEW <= age <= self.nonce_lifetime:
            limit = (
                f"nonce_lifetime={self.nonce_lifetime}" if age > 0 else f"workers' clocks may differ by {MAX_SKEW} s"
            )
            raise StaleNonce(reason=f"Digest: the nonce has expired: it is {age:.0f} s old, and {limit}")
        number = int(sent.nc, 16) if sent.qop else 0
        if number:
            unused = self.store.spend("digest", sent.nonce, number, self._kept)
        elif sent.qop:  # stores count from 1, and some clients from 0
            unused = self.store.claim("digest-zero", sent.nonce, self._kept)
        else:  # without a count, the response itself is what may not come twice
            unused = self.store.claim("digest-legacy", f"{sent.nonce} {sent.response}", self._kept)
        if not unused:
            what = f"nc {number}" if sent.qop else "the response, which has no qop,"
            raise StaleNonce(
                reason=f"Digest: {what} was used before with this nonce, or lies too far behind: each answer counts "
                "once"
            )
        if self.nonce_uses is None:
            return not sent.qop
        used = self.store.increment("digest-uses", sent.nonce, self._kept)
        if used > self.nonce_uses:
            raise StaleNonce(reason=f"Digest: this is use {used} of the nonce, and nonce_uses={self.nonce_uses}")
        return used >= self.nonce_uses or not sent.qop

    def _body_hash(self, sent: DigestCredentials, request: Request) -> str:
        body = raw_body(request, self.max_body)
        if body is None:
            self._tell_of_lost_body(request.endpoint)
            raise InvalidCredentials(
                reason="Digest: the body was read before qop=auth-int could be verified: a before_request function "
                "must call request.get_data()"
            )
        return digest_hash(sent.algorithm, body)

    def _tell_of_lost_body(self, endpoint: str | None) -> None:
        if endpoint not in self._told_of:
            self._told_of.add(endpoint)
            log.error(
                "%s: a request with qop=auth-int was refused, because a before_request function has read its body. Let "
                "it call request.get_data() first, which keeps a copy, or leave auth-int out of Digest(qop=...)",
                endpoint,
            )

    def _authentication_info(
        self, response: Response, sent: DigestCredentials, a1: str, realm: str, over: bool
    ) -> str | None:
        """``over``: whether the client needs another nonce soon."""
        parts = []
        if self.nextnonce and over:
            parts.append(f"nextnonce={quote(self._nonces.mint(_real_app(), realm))}")
        whole = sent.qop == "auth" or not (response.is_streamed or response.direct_passthrough)
        if self.rspauth and whole and sent.qop:
            body = b"" if current_request.method == "HEAD" or sent.qop == "auth" else response.get_data()
            proof = response_hash(
                sent.algorithm, a1, method="", uri=sent.uri, nonce=sent.nonce, nc=sent.nc, cnonce=sent.cnonce,
                qop=sent.qop, body=digest_hash(sent.algorithm, body),
            )  # fmt: skip
            parts += [f"qop={sent.qop}", f"rspauth={quote(proof)}", f"cnonce={quote(sent.cnonce)}", f"nc={sent.nc}"]
        return ", ".join(parts) or None


_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
_LENGTHS: Final = {"SHA-512-256": 64, "SHA-256": 64, "MD5": 32}  # of stored hashes
_real_app: Final = current_app._get_current_object  # type: ignore[attr-defined]  # a LocalProxy has it


def _is_made_with(sent: DigestCredentials, a1: str, body: str, method: str) -> bool:
    if sent.qop:
        expected = response_hash(
            sent.algorithm, a1, method=method, uri=sent.uri, nonce=sent.nonce, nc=sent.nc,
            cnonce=sent.cnonce, qop=sent.qop, body=body,
        )  # fmt: skip
    else:
        expected = legacy_response_hash(sent.algorithm, a1, method=method, uri=sent.uri, nonce=sent.nonce)
    return hmac.compare_digest(expected.encode("latin-1"), sent.response.encode("latin-1"))


def _checked_legacy(legacy: bool, qop: tuple[str, ...]) -> bool:
    if not isinstance(legacy, bool):
        raise TypeError(f"legacy must be True or False, not {legacy!r}")
    if legacy and "auth" not in qop:
        raise ConfigurationError(
            f"legacy=True with qop={qop!r}: answers without qop don't cover the body. Give qop=('auth', 'auth-int')"
        )
    return legacy


def _checked_uses(uses: int | None) -> int | None:
    if uses is not None and (isinstance(uses, bool) or not isinstance(uses, int)):
        raise TypeError(f"nonce_uses must be an int or None, not {uses!r}")
    if uses is not None and uses < 1:
        raise ConfigurationError(f"nonce_uses must be 1 or more, or None for any number, not {uses}")
    return uses


def _domain(uris: Iterable[str]) -> str:
    if isinstance(uris, str):
        raise TypeError(f'domain={uris!r} is a bare string: write ("{uris}",)')
    given = tuple(uris)
    for uri in given:
        if not isinstance(uri, str) or not uri or " " in uri or '"' in uri:
            raise ConfigurationError(f"domain has {uri!a}: write URIs without blanks and quotes (RFC 7616 §3.3)")
    return " ".join(given)


def _check_hash(algorithm: str) -> None:
    try:
        digest_hash(algorithm, b"")
    except ValueError:
        raise ConfigurationError(f"this Python has no hash function for {algorithm}: choose another one") from None
