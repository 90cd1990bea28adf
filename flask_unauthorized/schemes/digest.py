"""Digest (RFC 7616): clients prove that they know a password, without sending it.

One request passes these steps. The first one that fails ends it.

1. `Digest.read` reads the parameters (§3.4). They must be complete, name an algorithm and a ``qop`` that are offered,
   and a ``uri`` that is the target of the request (§3.4.6). See `digest_credentials` and `digest_uri`.
2. `Digest.verify` compares the realm, and checks that this app made the nonce for this realm (§3.3). See `nonces`.
3. For ``qop=auth-int`` it reads and hashes the body (§3.4.3). See `request_body`.
4. The loader gets the name and returns the secret, from which H(A1) follows (§3.4.2). See `digest_secrets`.
5. The response is computed from H(A1) and compared in constant time (§3.4.1, §3.6).
6. The age of the nonce is checked, and its count is used up (§3.4, §5.5). See `digest_replay`.
7. `Digest.respond` adds ``Authentication-Info`` (§3.5). See `digest_authentication_info`.

A failure in steps 1 to 5 gets a challenge with a new nonce, or 400 if no correct client sends such a request. A
failure in step 6 adds ``stale=true``, with which a client repeats the request without asking its user (§3.3).

Invariants:

- Nothing about the nonce is used up or said to be stale before the response was found to be right. Otherwise an
  attacker could use up the counts of others, and a client with a wrong password would repeat its request for ever.
- An unknown name gets the same response as a wrong password, after the same work.
- The challenges of one response have the same nonce and differ in the algorithm only, because clients mix them up.
- A challenge stores nothing. The first write to the store follows a right response.

Why it isn't simpler: clients deviate from the RFC, and each deviation that is accepted has its own place. They send
names with unescaped backslashes (`Digest.verify` tries two names), percent-encode names (`digest_secrets`), count from
0 and omit ``qop`` (`digest_replay`), and take the wrong ``cnonce`` for ``-sess`` (`Digest.verify`).
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import unquote

from flask import Flask, Request, Response, current_app
from flask import request as current_request

from ..arguments import explains_arguments, validated_choice, validated_flag, validated_whole_seconds
from ..errors import AuthError, ConfigurationError, InvalidCredentials, StaleNonce
from ..errors.text import shown
from ..logs import log
from ..stores.base import Store, validated_store
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
from .base import Loader, Scheme
from .digest_authentication_info import VerifiedCredentials, authentication_info
from .digest_credentials import WITHOUT_QOP, DigestCredentials, read_credentials
from .digest_replay import NonceUses
from .digest_secrets import NameOfHash, look_up
from .nonces import Nonces
from .origins import validated_origins
from .request_body import is_body_consumed, read_body
from .state_access import (
    readable_app_state,
    realm_in_force,
    remember_for_response,
    remembered_for_response,
    warn_of_default_realm,
    warn_of_switch,
    warn_once,
)

if TYPE_CHECKING:
    from ..throttle.throttle import SchemeAttempt, Throttle

MAX_BODY: Final = 1024 * 1024
"""Default of ``max_body``, in bytes."""
MIN_NONCE_LIFETIME: Final = 5
"""Shortest ``nonce_lifetime``, in seconds: a client needs a round trip to use a nonce, and clocks differ."""
_FIRST_CNONCES: Final = "digest-session"
"""The purpose under which the store holds the first ``cnonce`` of each ``-sess`` nonce."""
_QOPS: Final = ("auth", "auth-int")
_current_app_object: Final = current_app._get_current_object  # type: ignore[attr-defined]  # a LocalProxy has it


_NO_USER: Final = "Digest: no user has the name: the loader, or name_of_hash=, returned None"
_WRONG_PASSWORD: Final = (
    "Digest: the response was not made with what the loader returned for the name: the password is wrong, a stored "
    "hash was returned as a str and not by its algorithm, or it is of another name, realm or password"
)


class Digest(Scheme[DigestCredentials]):
    """Let clients prove that they know a password, without sending it (RFC 7616).

    Each response is accepted once. The loader gets a user's name, a ``str`` in NFC. It returns one of:

    - the password, a ``str``;
    - the stored hashes by algorithm, ``{"SHA-256": "7987c6…"}``, as `hashes` makes them;
    - a pair of one of these and anything that loaders may return (an `Identity`, a user object, a subject);
    - ``None`` for an unknown name.

    Without a pair, the caller is an `Identity` with the name as its subject.

    The realm is part of every hash. Give ``realm``, or never rename the app.

    Example:
        Store the hashes of users, not their passwords::

            from flask_unauthorized import Auth, Digest

            digest = Digest(realm="notes")
            auth = Auth(digest, app=app)
            hashes = {"ada": digest.hashes("ada", "correct horse battery")}

            @digest.loader
            def load(name):
                return hashes.get(name)

    Args:
        loader: Returns the secret for a name. May be registered with ``@digest.loader`` instead.
        realm: The realm of this scheme, default the app's.
        algorithms: ``SHA-256``, ``SHA-512-256`` (few clients know it), ``MD5`` (broken, for old clients), and their
            ``-sess`` variants. Each gets a challenge, in the order given. Put the one that you prefer first
            (RFC 7616 §3.7). Some old clients look at the first challenge only, so they need ``("MD5", "SHA-256")``.
        qop: What a response covers. ``("auth", "auth-int")`` also accepts responses that cover the body,
            ``("auth-int",)`` only those. A body that is covered is read before the view runs, and the view can still
            read it. A ``before_request`` function that reads the body must call ``request.get_data()``, which keeps a
            copy. Otherwise ``auth-int`` isn't offered for this request, and credentials with it get 401.
        name_of_hash: Gets the hash of a name and the algorithm (``"SHA-256"``), and returns the name or ``None``. It
            turns on ``userhash`` (RFC 7616 §3.4.4). `flask_unauthorized.wire.digest.name_hash` makes the hashes.
        domain: URIs of the protection space, if it isn't the whole host.
        opaque: A value for the challenge, which clients send back. It isn't checked.
        nonce_lifetime: How long a nonce is accepted: seconds or a `timedelta`, at least 5 seconds. A client with an
            expired nonce gets a new one, and goes on without asking its user.
        nonce_uses: How many requests one nonce serves, ``None`` for any number. With ``1`` each request takes two round
            trips, unless the client follows ``nextnonce``.
        legacy: Whether to accept credentials without ``qop`` (RFC 2069), which old devices send. Each such response is
            accepted once for its nonce, so a client that repeats a request needs a new nonce (``stale=true``). It
            covers nothing that the client chose, so an attacker who poses as the server can look up passwords in tables
            made beforehand.
        store: Holds the used counts. The default `MemoryStore` isn't shared between processes.
        rspauth: Whether to send ``Authentication-Info`` (RFC 7616 §3.5) with a proof that the server knows the secret.
        nextnonce: Whether to send ``Authentication-Info`` with a new nonce, if the one in use has passed half of its
            lifetime or has no use left.
        max_body: Longest body that is read for ``auth-int``, in bytes. A longer one gets 413.
        trusted_origins: Other sites whose pages may send unsafe requests. All others get 403 for them, because browsers
            repeat a login on their own, and a script of another origin that logs in on purpose looks the same.
        throttle: Limits on failed attempts: see `flask_unauthorized.throttle`.

    Raises:
        ConfigurationError: If a value can't work.
        TypeError: If a value has the wrong type.
    """

    name = "Digest"
    prompts = True
    credential_kind = "password"
    static = False
    needs_loader = True
    names_subject = True
    specification: ClassVar[Mapping[str, tuple[str, str]]] = {
        "invalid_token": ("RFC 7616 §3.3, the Digest challenge", "https://www.rfc-editor.org/rfc/rfc7616#section-3.3"),
        "invalid_request": ("RFC 7616 §3.4, the Digest response", "https://www.rfc-editor.org/rfc/rfc7616#section-3.4"),
    }
    curl_options = ("--digest", "-u", "NAME:PASSWORD")

    @explains_arguments(use_ha1_pw='return {"MD5": ha1} from the loader, which stands for a stored hash')
    def __init__(
        self,
        loader: Loader | None = None,
        *,
        realm: str | None = None,
        algorithms: Sequence[str] = ("SHA-256",),
        qop: Sequence[str] = ("auth",),
        name_of_hash: NameOfHash | None = None,
        domain: Iterable[str] = (),
        opaque: str | None = None,
        nonce_lifetime: int | timedelta = 300,
        nonce_uses: int | None = None,
        legacy: bool = False,
        store: Store | None = None,
        rspauth: bool = False,
        nextnonce: bool = False,
        max_body: int = MAX_BODY,
        trusted_origins: Iterable[str] = (),
        throttle: "Throttle | None" = None,
    ) -> None:
        super().__init__(loader, realm=realm, throttle=throttle)
        self.trusted_origins = validated_origins(trusted_origins)
        self.algorithms = validated_choice("algorithms", algorithms, ALGORITHMS)
        # Clients prefer the first value, and many of them hash bodies wrongly, so auth goes first.
        self.qop = tuple(sorted(validated_choice("qop", qop, _QOPS)))
        self.legacy = _validated_legacy(legacy, self.qop)
        self._accepted_qops = (*self.qop, WITHOUT_QOP) if self.legacy else self.qop
        self.name_of_hash = name_of_hash
        self.domain = _joined_domain(domain)
        self.opaque = opaque
        self.nonce_lifetime = validated_whole_seconds("nonce_lifetime", nonce_lifetime, least=MIN_NONCE_LIFETIME)
        self.nonce_uses = _validated_uses(nonce_uses)
        self.store = MemoryStore() if store is None else validated_store(store)
        self.rspauth = validated_flag("rspauth", rspauth)
        self.nextnonce = validated_flag("nextnonce", nextnonce)
        self.max_body = max_body
        self._nonces = Nonces("digest")
        self._uses = NonceUses(self.nonce_lifetime, self.nonce_uses)
        self._logged_endpoints: set[str | None] = set()  # Those whose body was lost: each is logged once.
        self._algorithm_by_name = {algorithm.lower(): algorithm for algorithm in self.algorithms}
        try:
            self._challenges("realm", "nonce", self.qop, stale=False)  # Raises for a wrong opaque or domain.
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        for algorithm in self.algorithms:
            _check_hash(algorithm)

    def hashes(self, name: str, password: str, *, realm: str | None = None) -> dict[str, str]:
        """Return what to store for a user in place of the password.

        Within its realm a hash is worth as much as the password (RFC 7616 §5.2), so keep it as safe.

        Args:
            name: The user's name.
            password: The user's password.
            realm: The realm, if the scheme has none of its own.

        Returns:
            A hash for each of ``algorithms``, in the form that the loader returns.

        Raises:
            ConfigurationError: If there is no realm.
        """
        realm = realm or self.realm
        if realm is None:
            raise ConfigurationError("hashes() needs the realm: Digest(realm=...), or hashes(..., realm=...)")
        return {base: secret_hash(base, name, realm, password) for base in map(base_algorithm, self.algorithms)}

    # --- what a scheme does

    def check(self, app: Flask) -> None:
        """Check what the scheme needs of the app: a secret key, a shared store, a realm that clients hash alike."""
        super().check(app)
        self._nonces.check(app)
        self.store.check()
        self.store.check_processes(app, "Digest: used counts")
        warn_of_default_realm(self, app, "Stored hashes")
        # Clients don't unescape it alike, so that they hash different realms.
        realm = self.realm if self.realm is not None else readable_app_state(app).realm
        if '"' in realm or "\\" in realm:
            raise ConfigurationError(f"realm={realm!a}: for Digest it must not hold a quote or a backslash")
        if any(scheme.name == "Basic" for scheme in readable_app_state(app).schemes):
            warn_once(app, "Basic beside Digest: where a view takes both, passwords are as safe as with Basic alone")
        weak = [algorithm for algorithm in self.algorithms if base_algorithm(algorithm) == "MD5"]
        if weak:
            warn_of_switch(
                app,
                f"Digest(algorithms=...) with {', '.join(weak)}: clients may choose it, and passwords are guessed "
                "faster from a recorded MD5 response or a stolen MD5 hash: use SHA-256 alone",
            )
        if self.legacy:
            warn_of_switch(
                app,
                "Digest(legacy=True): credentials without qop carry no cnonce and no count, so an attacker who chooses "
                "the nonce can look passwords up in a table: replace the old clients, then remove legacy=True",
            )

    def read(self, request: Request, rest: str | None) -> DigestCredentials | None:
        """Read the parameters: step 1 of the module's description."""
        if rest is None:
            return None
        return read_credentials(rest, request, self._algorithm_by_name, self._accepted_qops, self._is_valid_nonce)

    def verify(self, credentials: DigestCredentials, request: Request) -> object | None:
        """Verify the response and use up the nonce count: steps 2 to 6 of the module's description."""
        realm = realm_in_force(self, request)
        if credentials.realm != realm:
            raise InvalidCredentials(
                reason=f"Digest: realm is {shown(credentials.realm)}, and the realm in force is {shown(realm)} "
                "(realm= of the scheme, of Auth, or UNAUTHORIZED_REALM)"
            )
        age = self._nonces.age(_current_app_object(), realm, credentials.nonce)
        if age is None:
            raise InvalidCredentials(
                reason=f"Digest: the nonce was not signed by this app for the realm {shown(realm)}, or SECRET_KEY "
                "changed: keep the old key in SECRET_KEY_FALLBACKS"
            )
        self.store.check_workers(request.environ)
        body_hash = self._body_hash(credentials, request) if credentials.qop == "auth-int" else ""
        if credentials.literal_name is None:
            h_a1, caller = look_up(self, credentials, realm, self.name_of_hash)
            verified_a1 = self._verified_a1(credentials, h_a1, body_hash, request.method)
        else:
            verified_a1, caller = self._verify_either_name(credentials, realm, body_hash, request.method)
        if verified_a1 is None or caller is None:
            raise InvalidCredentials(reason=_NO_USER if caller is None else _WRONG_PASSWORD)
        is_last_use = self._uses.use(credentials, age, self.store)
        if self.rspauth or self.nextnonce:
            needs_nonce = is_last_use or age > self.nonce_lifetime / 2
            remember_for_response(self, request, VerifiedCredentials(credentials, verified_a1, realm, needs_nonce))
        return caller

    def subject(self, credentials: DigestCredentials) -> str | None:
        """Return the name under which the loader knows the caller."""
        return credentials.name

    def reserve_attempt(self, credentials: DigestCredentials, request: Request) -> "SchemeAttempt":
        """Reserve an attempt for the name that was sent.

        Clients escape names in several ways, and `verify` tries each. All of them share a counter.
        """
        name = unquote(credentials.name or "", errors="replace").replace("\\", "")
        return self.throttle.reserve(name, None, request.environ, self.name)  # type: ignore[union-attr]  # there is one

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        """Return a challenge for each algorithm, with one new nonce (RFC 7616 §3.3)."""
        nonce = self._nonces.mint(_current_app_object(), realm)
        qops = self.qop
        if len(qops) > 1 and is_body_consumed(request):
            qops = ("auth",)
        return self._challenges(realm, nonce, qops, stale=isinstance(error, StaleNonce))

    def responds(self) -> bool:
        """Return whether the options ask for ``Authentication-Info``."""
        return self.rspauth or self.nextnonce

    def respond(self, response: Response, accepted: bool) -> None:
        """Add ``Authentication-Info`` for an accepted caller: step 7 of the module's description."""
        verified = remembered_for_response(self, current_request, VerifiedCredentials) if accepted else None
        if verified is None:
            return
        next_nonce = None
        if self.nextnonce and verified.needs_nonce:
            next_nonce = self._nonces.mint(_current_app_object(), verified.realm)
        value = authentication_info(
            verified, response, method=current_request.method, next_nonce=next_nonce, rspauth=self.rspauth
        )
        if value:
            response.headers["Authentication-Info"] = value

    # --- inside

    def _challenges(self, realm: str, nonce: str, qops: tuple[str, ...], *, stale: bool) -> tuple[Challenge, ...]:
        """Return one challenge for each algorithm; they differ in it alone."""
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

    def _is_valid_nonce(self, nonce: str, request: Request) -> bool:
        """Return whether this app made the nonce for this realm, and it hasn't expired."""
        age = self._nonces.age(_current_app_object(), realm_in_force(self, request), nonce)
        return age is not None and self._uses.is_current(age)

    def _body_hash(self, credentials: DigestCredentials, request: Request) -> str:
        body = read_body(request, self.max_body)
        if body is not None:
            return digest_hash(credentials.algorithm, body)
        endpoint = request.endpoint
        if endpoint not in self._logged_endpoints:
            self._logged_endpoints.add(endpoint)
            log.error(
                "%s: a request with qop=auth-int was refused, because a before_request function has read its body. Let "
                "it call request.get_data() first, which keeps a copy, or leave auth-int out of Digest(qop=...)",
                endpoint,
            )
        raise InvalidCredentials(
            reason="Digest: the body was read before qop=auth-int could be verified: a before_request function must "
            "call request.get_data()"
        )

    def _verify_either_name(
        self, credentials: DigestCredentials, realm: str, body_hash: str, method: str
    ) -> tuple[str | None, object | None]:
        """Return H(A1) and the caller of the name that the client hashed, out of two.

        ``credentials.name`` becomes that name. Both names are always looked up, so that the time doesn't tell which of
        them exists.
        """
        verified: tuple[str | None, object | None] = (None, None)
        verified_name, refusal = credentials.name, None
        for name in (credentials.name, credentials.literal_name or ""):
            credentials.name = name
            try:
                h_a1, caller = look_up(self, credentials, realm, self.name_of_hash)
                verified_a1 = self._verified_a1(credentials, h_a1, body_hash, method)
            except InvalidCredentials as error:  # The loader refused this user, who may not be the caller.
                refusal = refusal or error
                continue
            if verified_a1 is not None and caller is not None:
                verified, verified_name = (verified_a1, caller), name
            elif verified[1] is None:  # A name with a user and another password counts as known, for the reason.
                verified = None, caller
        credentials.name = verified_name
        if verified[0] is None and refusal is not None:
            try:
                raise refusal
            finally:
                del refusal  # its traceback holds this frame
        return verified

    def _verified_a1(self, sent: DigestCredentials, h_a1: str, body_hash: str, method: str) -> str | None:
        """Return the H(A1) that the response was made with, ``None`` for another secret."""
        if not sent.algorithm.endswith("-sess"):
            return h_a1 if _is_made_with(sent, h_a1, body_hash, method) else None
        # RFC 7616 §3.4.2 takes the first cnonce of the session. Many clients take the cnonce of each request.
        first = self.store.get(_FIRST_CNONCES, sent.nonce)
        for cnonce in (sent.cnonce,) if first is None else (sent.cnonce, first):
            session_a1 = session_hash(sent.algorithm, h_a1, sent.nonce, cnonce)
            if _is_made_with(sent, session_a1, body_hash, method):
                if first is None:
                    self.store.put(_FIRST_CNONCES, sent.nonce, cnonce, self._uses.remember_for)
                return session_a1
        return None


def _is_made_with(sent: DigestCredentials, h_a1: str, body_hash: str, method: str) -> bool:
    if sent.qop:
        expected = response_hash(
            sent.algorithm, h_a1, method=method, uri=sent.uri, nonce=sent.nonce, nc=sent.nc,
            cnonce=sent.cnonce, qop=sent.qop, body=body_hash,
        )  # fmt: skip
    else:
        expected = legacy_response_hash(sent.algorithm, h_a1, method=method, uri=sent.uri, nonce=sent.nonce)
    return hmac.compare_digest(expected.encode("latin-1"), sent.response.encode("latin-1"))


def _validated_legacy(legacy: bool, qop: tuple[str, ...]) -> bool:
    if not isinstance(legacy, bool):
        raise TypeError(f"legacy must be True or False, not {legacy!r}")
    if legacy and "auth" not in qop:
        raise ConfigurationError(
            f"legacy=True with qop={qop!r}: credentials without qop don't cover the body. Give qop=('auth', 'auth-int')"
        )
    return legacy


def _validated_uses(uses: int | None) -> int | None:
    if uses is not None and (isinstance(uses, bool) or not isinstance(uses, int)):
        raise TypeError(f"nonce_uses must be an int or None, not {uses!r}")
    if uses is not None and uses < 1:
        raise ConfigurationError(f"nonce_uses must be 1 or more, or None for any number, not {uses}")
    return uses


def _joined_domain(uris: Iterable[str]) -> str:
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
