"""Digest (RFC 7616)."""

import hmac
import io
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from flask import Flask, Request, Response, current_app
from flask import request as current_request
from werkzeug.exceptions import RequestEntityTooLarge

from ..errors import AuthError, ConfigurationError, InvalidCredentials, StaleNonce, configured_seconds
from ..mistakes import checked_flag, explains_arguments
from ..stores.base import Store, checked_store
from ..stores.memory import MemoryStore
from ..wire import Challenge
from ..wire.digest import ALGORITHMS, base_algorithm, digest_hash, response_hash, secret_hash, session_hash
from ..wire.grammar import quote
from .base import Loader, Scheme, warn_of_default_realm
from .digest_credentials import DigestCredentials, percent_decoded, read_credentials
from .nonces import MAX_SKEW, Nonces
from .options import chosen
from .origins import trusted

log: Final = logging.getLogger("flask_unauthorized")
MAX_BODY: Final = 1024 * 1024
"""Longest body that is hashed for ``auth-int`` unless told otherwise, in bytes."""
_PROVED: Final = "_unauthorized_digest"
"""The private attribute of the request object that holds what ``Authentication-Info`` needs."""
_QOPS: Final = ("auth", "auth-int")
_NOBODY: Final = "the password of nobody"


class Digest(Scheme[DigestCredentials]):
    """A proof of knowing a password, which itself isn't sent (RFC 7616). Every answer counts once.

    The loader gets a user's name, a ``str`` in NFC, and returns the secret: the password, or the stored hashes by
    algorithm, ``{"SHA-256": "7987c6…"}`` (see `hashes`); or a pair of that and what any loader may return, so that one
    look-up does; ``None`` for nobody. Without a pair the caller is an `Identity` with the name as its subject.

    - ``algorithms``: of ``SHA-256``, ``SHA-512-256`` (few clients know it), ``MD5`` (broken, for old clients; goes out
      last) and their ``-sess`` variants; one challenge for each.
    - ``qop``: ``("auth", "auth-int")`` also takes answers that cover the body, ``("auth-int",)`` only those. Such
      bodies are read before the view runs, up to ``max_body`` bytes (413 beyond), and the view can still read them.
    - ``name_of_hash``: given the hash of a name and the algorithm (``"SHA-256"``), the name or ``None``; switches
      ``userhash`` on (§3.4.4), and `flask_unauthorized.wire.digest.name_hash` makes the hashes.
    - ``domain``: URIs of the protection space, when it isn't the whole host. ``opaque``: goes out, and may come back.
    - ``nonce_lifetime``: seconds. A client whose nonce is over goes on with a new one, without asking its user.
    - ``store``: where used counts are kept; default a `MemoryStore`, which several workers don't share.
    - ``rspauth``, ``nextnonce``: send ``Authentication-Info`` (§3.5) with a proof of ours, and with the next nonce when
      the one in use is half over.
    - ``trusted_origins``: other sites whose pages may send unsafe requests, which get 403 otherwise: browsers repeat a
      login by themselves.

    The realm goes into every hash: give ``realm``, or never rename the app. Raises `ConfigurationError`, `TypeError`.
    """

    name = "Digest"
    curl_options = ("--digest", "-u", "NAME:PASSWORD")
    reads = (("authorization", "digest"),)
    prompts = True
    static = False
    names_subject = True

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
        store: Store | None = None,
        rspauth: bool = False,
        nextnonce: bool = False,
        max_body: int = MAX_BODY,
        trusted_origins: Iterable[str] = (),
    ) -> None:
        super().__init__(loader, realm=realm)
        self.trusted_origins = trusted(trusted_origins)
        self.algorithms = _in_order("algorithms", algorithms, ALGORITHMS)
        self.qop = _in_order("qop", qop, _QOPS)
        self.name_of_hash = name_of_hash
        self.domain = _domain(domain)
        self.opaque = opaque
        self.nonce_lifetime = configured_seconds("nonce_lifetime", nonce_lifetime, least=1)
        self.store = MemoryStore() if store is None else checked_store(store)
        self.rspauth = checked_flag("rspauth", rspauth)
        self.nextnonce = checked_flag("nextnonce", nextnonce)
        self.max_body = max_body
        self._nonces = Nonces("digest")
        self._offered = {algorithm.lower(): algorithm for algorithm in self.algorithms}
        try:
            self._challenges("realm", "nonce", stale=False)  # a wrong opaque or domain is found now
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        for algorithm in self.algorithms:
            _check_hash(algorithm)

    def hashes(self, name: str, password: str, *, realm: str | None = None) -> dict[str, str]:
        """What to store for a user in place of the password: a hash for each algorithm, for the loader to return.

        ``realm`` may be left out where the scheme has one. They are as good as the password for this realm
        (RFC 7616 §5.2).
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
        warn_of_default_realm(self, app, "Stored hashes")
        # Clients don't unescape it alike, so that they hash different realms.
        realm = self.realm if self.realm is not None else app.extensions["unauthorized"].realm
        if '"' in realm or "\\" in realm:
            raise ConfigurationError(f"realm={realm!a}: for Digest it must not hold a quote or a backslash")
        if any(scheme.name == "Basic" for scheme in app.extensions["unauthorized"].auth.schemes):
            log.warning("Basic beside Digest: where a view takes both, passwords are as safe as with Basic alone")

    def read(self, request: Request, rest: str | None) -> DigestCredentials | None:
        return None if rest is None else read_credentials(rest, request, self._offered, self.qop)

    def verify(self, credentials: DigestCredentials, request: Request) -> object | None:
        realm = self.realm_in(request)
        if credentials.realm != realm:
            raise InvalidCredentials(reason="Digest: another realm")
        age = self._nonces.age(_real_app(), realm, credentials.nonce)
        if age is None:
            raise InvalidCredentials(reason="Digest: the nonce isn't one of ours")
        self.store.check_workers(request.environ)
        secret, who = self._look_up(credentials, realm)
        hashed, body = self._a1(secret, credentials, realm), self._body_hash(credentials, request)
        a1 = self._matching(credentials, hashed, body, request.method)
        if a1 is None or who is None:
            raise InvalidCredentials(reason="Digest: wrong password, or nobody of that name")
        self._use_up(credentials, age)
        if self.rspauth or self.nextnonce:
            setattr(request, _PROVED, (credentials, a1, realm, age))
        found: object = who
        return found

    def subject(self, credentials: DigestCredentials) -> str | None:
        return credentials.name

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        nonce = self._nonces.mint(_real_app(), realm)
        return self._challenges(realm, nonce, stale=isinstance(error, StaleNonce))

    def responds(self) -> bool:
        return self.rspauth or self.nextnonce

    def respond(self, response: Response, accepted: bool) -> None:
        proved = getattr(current_request, _PROVED, None)
        if accepted and proved is not None:
            value = self._authentication_info(response, *proved)
            if value:
                response.headers["Authentication-Info"] = value

    # --- inside

    def _challenges(self, realm: str, nonce: str, *, stale: bool) -> tuple[Challenge, ...]:
        """One for each algorithm; they differ in it alone, for clients mix them."""
        before = (
            ("realm", realm),
            *((("domain", self.domain),) if self.domain else ()),
            ("nonce", nonce),
            *((("opaque", self.opaque),) if self.opaque else ()),
            *((("stale", "true"),) if stale else ()),
        )
        after = (
            ("qop", ", ".join(self.qop)),
            ("charset", "UTF-8"),
            *((("userhash", "true"),) if self.name_of_hash is not None else ()),
        )
        return tuple(Challenge("Digest", (*before, ("algorithm", name), *after)) for name in self.algorithms)

    def _look_up(self, credentials: DigestCredentials, realm: str) -> tuple[Any, Any]:
        """The secret, and who has it; for nobody a secret that nothing matches, so that it takes as long."""
        if credentials.hashed:
            name = self._name_behind(credentials)
            if name is None:
                return _NOBODY, None
            credentials.name = name
        found = self.load(credentials.name)
        decoded = percent_decoded(credentials.name) if found is None and not credentials.hashed else None
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
        name = self.name_of_hash(credentials.name, base_algorithm(credentials.algorithm))
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name_of_hash returned a {type(name).__name__}: return the name, or None")
        return name

    def _a1(self, secret: Any, credentials: DigestCredentials, realm: str) -> str:
        base = base_algorithm(credentials.algorithm)
        if isinstance(secret, str):
            if not secret:
                raise InvalidCredentials(reason="Digest: the loader returned an empty password")
            return secret_hash(base, credentials.name, realm, secret)
        if not isinstance(secret, Mapping):
            raise TypeError(
                f"the loader of Digest returned a {type(secret).__name__} as the secret: return the password, the "
                "stored hashes by algorithm ({'SHA-256': …}), a pair of one of these and the user, or None"
            )
        stored = secret.get(base)
        if stored is None:
            raise InvalidCredentials(reason=f"Digest: no hash for {base} is stored")
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

    def _use_up(self, sent: DigestCredentials, age: float) -> None:
        """Each count of a nonce once, and none when it is over; the password was right, so the client may go on."""
        if not -MAX_SKEW <= age <= self.nonce_lifetime:
            raise StaleNonce(reason="Digest: the nonce is over")
        if not self.store.spend("digest", sent.nonce, int(sent.nc, 16), self._kept):
            raise StaleNonce(reason="Digest: this count was used, or lies too far behind")

    @property
    def _kept(self) -> float:
        """How long counts are kept, in seconds: longer than any worker takes the nonce."""
        return self.nonce_lifetime + 2 * MAX_SKEW

    def _body_hash(self, sent: DigestCredentials, request: Request) -> str:
        return digest_hash(sent.algorithm, raw_body(request, self.max_body)) if sent.qop == "auth-int" else ""

    def _authentication_info(
        self, response: Response, sent: DigestCredentials, a1: str, realm: str, age: float
    ) -> str | None:
        parts = []
        if self.nextnonce and age > self.nonce_lifetime / 2:
            parts.append(f"nextnonce={quote(self._nonces.mint(_real_app(), realm))}")
        whole = sent.qop == "auth" or not (response.is_streamed or response.direct_passthrough)
        if self.rspauth and whole:
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
    expected = response_hash(
        sent.algorithm, a1, method=method, uri=sent.uri, nonce=sent.nonce, nc=sent.nc,
        cnonce=sent.cnonce, qop=sent.qop, body=body,
    )  # fmt: skip
    return hmac.compare_digest(expected.encode("latin-1"), sent.response.encode("latin-1"))


def raw_body(request: Request, limit: int) -> bytes:
    """The body as it came, which the view can still read in any way. Raises 413 where it is longer than ``limit``."""
    if request.content_length is not None and request.content_length > limit:
        raise RequestEntityTooLarge
    known = vars(request).get("_cached_data")
    if known is not None:
        return bytes(known)
    if "form" in vars(request):
        raise ConfigurationError(
            "request.form was read before Digest could hash the body (qop=auth-int): read it after the guard"
        )
    body = request.stream.read(limit + 1)
    if len(body) > limit:
        raise RequestEntityTooLarge
    request.environ["wsgi.input"] = io.BytesIO(body)
    vars(request)["stream"] = io.BytesIO(body)
    return bytes(body)


def _in_order(what: str, given: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """`chosen`, the strongest first, whatever the order they were given in."""
    return tuple(sorted(chosen(what, given, known), key=known.index))


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
