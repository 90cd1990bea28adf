"""`JWT` and `Issuers`: access tokens that an issuer signed (RFC 9068). Needs the extra ``jwt``."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum
from time import time
from typing import Any, Final, Literal

from flask import Flask

from ..arguments import explains_arguments
from ..errors import ConfigurationError, InvalidCredentials, RevokedCredentials, configured_seconds
from ..identity import Identity
from ..jose import Engine, Key, Keys, PyJWTEngine, StaticKeys
from ..jose.algorithms import HMAC, named
from ..jose.keys import RenewableKeys
from ..schemes.run_async import resolve_awaitable
from ..wire.grammar import LARGEST_AUTHORIZATION
from ..wire.jws import CompactJWS, JOSEError, read_json_object, read_jws
from .claims import (
    RolesPaths,
    check_parts,
    checked_callable,
    checked_names,
    claim_path,
    show,
    show_names,
    with_user,
)
from .jwt_claims import Policy
from .jwt_profiles import PROFILES
from .revocation import Revocations
from .token_cache import Remembered, Verified, digest_of

DEFAULT_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""What issuers sign with today; RFC 9068 §2.1 asks for the first."""
MAX_LEEWAY: Final = 3600
"""Longest leeway, in seconds."""
LONG_LEEWAY: Final = 300
"""Leeway above which the log warns, in seconds: RFC 9068 §4 speaks of a few minutes."""


class Anything(Enum):
    """The type of `ANY`."""

    ANY = "any value"


ANY: Final = Anything.ANY
"""For ``required_claims={"sub": ANY}``: the claim must be there and not be empty, whatever its value."""

log: Final = logging.getLogger("flask_unauthorized")


class JWT:
    """A loader of signed access tokens: ``Bearer(JWT("https://id.example.com", audience="https://api.example.com"))``.

    A token is good when ``issuer`` signed it by one of its ``keys``, and it names that issuer exactly, one of
    ``audience``, a subject, and an end that has not come (RFC 9068 §4). ``audience=None``, written out, means "for
    whomever", and the log warns unless ``required_claims`` asks for something else. ``keys`` is a `Key`, several of
    them, or any `Keys`; without them they are fetched from the issuer. ``algorithms`` are those the
    issuer may use, none is taken from the token; HS256, HS384, HS512 need an `hmac_key` and stand alone.

    ``profile="rfc9068"`` also demands ``typ: at+jwt``, ``client_id``, ``iat`` and ``jti``, and reads scopes from
    ``scope``. ``profile="oidc-compat"`` is for issuers that don't: ``typ`` may be ``JWT`` or absent, the three claims
    may be, the client is also read from ``azp``, ``cid`` or ``appid``, the scopes also from ``scp`` and from lists. An
    ID token is then told by its claims only (``at_hash``, ``token_use``, …; ``nonce`` where nothing says that it is an
    access token), so the audience decides. A token without ``sub`` that names its client is taken: its identity has a
    ``client_id`` and no ``subject``. ``required_claims={"sub": ANY}`` refuses those.

    ``leeway`` is for clocks that differ, in seconds, at most 3 600; the identity's ``expires_at`` is ``exp`` and that.
    ``allow_eternal=True`` takes tokens without ``exp``. ``roles_claim`` is where the roles are: ``"roles"``,
    ``"realm_access.roles"``, or a tuple of names, for names with dots in them; one with ``://`` in it isn't split. A
    list has several such paths, whose roles add up. A string, an array of strings, or the member names of an object
    are roles. ``required_claims={"tid": "…"}`` demands a claim that is, or lists, one of the values given, or `ANY`.

    ``user(identity)`` looks up your user object; ``None`` refuses. ``revoked(identity)`` says whether the token was
    revoked, ``True`` or ``False`` (`Revocations` is one). Both may be async, and are asked each time.
    ``remember=1000`` keeps that many verified tokens, by SHA-256, as long as they and their keys last.

    ``proxy="http://proxy.example:3128"`` is for fetching the issuer's keys. With ``keys``, give it to `JWKS` instead.

    Raises `ConfigurationError` or `TypeError` for what can't be meant.
    """

    @explains_arguments(
        issuer='write JWT("https://id.example.com", audience=...), the iss of its tokens',
        audience='write audience="https://api.example.com", the aud of tokens for this app; audience=None takes any',
    )
    def __init__(
        self,
        issuer: str,
        *,
        audience: str | Collection[str] | None,
        keys: Keys | Key | Iterable[Key] | None = None,
        algorithms: Collection[str] = DEFAULT_ALGORITHMS,
        profile: Literal["rfc9068", "oidc-compat"] = "rfc9068",
        leeway: int = 60,
        allow_eternal: bool = False,
        roles_claim: RolesPaths | None = None,
        required_claims: Mapping[str, str | Collection[str] | Anything] | None = None,
        user: Callable[[Identity], Any] | None = None,
        revoked: Callable[[Identity], Any] | None = None,
        remember: int = 0,
        engine: Engine | None = None,
        proxy: str | None = None,
    ) -> None:
        self.issuer = _issuer(issuer)
        self._algorithms = _algorithms(algorithms)
        self._keys = _keys(self.issuer, keys, self._algorithms, proxy)
        if profile not in PROFILES:
            raise ConfigurationError(f"profile={profile!a}: choose 'rfc9068' or 'oidc-compat'")
        required = tuple(
            (name, None if value is ANY else checked_names(f"required_claims[{name!a}]", value))
            for name, value in (required_claims or {}).items()
        )
        self._policy = Policy(
            issuer=self.issuer,
            audiences=_audiences(audience, bool(required)),
            profile=PROFILES[profile],
            leeway=_leeway(leeway),
            allow_eternal=allow_eternal,
            roles_claim=claim_path(roles_claim),
            required=required,
            needs_id=revoked is not None,
        )
        self._user = checked_callable("user", user)
        self._revoked = checked_callable("revoked", revoked)
        if isinstance(revoked, Revocations):
            revoked.cover(leeway)
        self._engine = PyJWTEngine() if engine is None else engine
        self._remembered = Remembered(size) if (size := _size(remember)) else None
        self.remembers = self._remembered is not None

    def __call__(self, token: str) -> Identity:
        """Whose ``token`` is. Raises `InvalidCredentials`, `ExpiredCredentials`, `RevokedCredentials`; and
        `AuthUnavailable` where the keys, or who was revoked, can't be known.
        """
        digest = None if self._remembered is None else digest_of(token)
        try:
            known = None if digest is None else self._recall(digest)
            found = _read(token) if known is None else known
        finally:
            del token  # a traceback shows locals
        return self._still(found) if isinstance(found, Identity) else self._admit(found, digest=digest)

    def check_app(self, app: Flask) -> None:
        """Called before an app's first request: whatever the parts have to check."""
        check_parts(app, self._keys, self._user, self._revoked)

    # --- for `Issuers`

    def _admit(self, jws: CompactJWS, *, claims: dict[str, Any] | None = None, digest: bytes | None = None) -> Identity:
        """As the call, for a token that was taken apart already; ``claims`` are its payload's."""
        key = self._verify(jws)
        if claims is None:
            claims = _claims(jws)
        identity = self._policy.identity(claims, jws.header, time())
        if self._remembered is not None and digest is not None:
            verified = Verified(identity, key, jws.kid, jws.algorithm, identity.expires_at)
            self._remembered.put(digest, verified)
        return self._still(identity)

    def _recall(self, digest: bytes) -> Identity | None:
        """The identity of a token that was verified before, if its key is still one of the issuer's."""
        if self._remembered is None:
            return None
        found = self._remembered.get(digest)
        if found is None:
            return None
        if found.key not in self._keys.candidates(found.kid, found.algorithm):
            self._remembered.forget(digest)
            return None
        return found.identity

    def _still(self, identity: Identity) -> Identity:
        """What may change while a token lives is asked each time: whether it was revoked, and whose it is."""
        if self._revoked is not None and _answer(self._revoked(identity)):
            raise RevokedCredentials(reason="revoked= returned True, so the token was revoked: get a new one")
        return identity if self._user is None else with_user(identity, self._user)

    # --- inside

    def _verify(self, jws: CompactJWS) -> Key:
        """The key that signed. Nothing of the payload is looked at before."""
        self._policy.check_type(jws.header)
        algorithm = jws.algorithm
        if algorithm not in self._algorithms:
            raise InvalidCredentials(
                reason=f"alg is {show(algorithm)}, expected one of {show_names(sorted(self._algorithms))}: "
                "algorithms= names what the issuer may use"
            )
        candidates = self._keys.candidates(jws.kid, algorithm)
        for key in candidates:
            if self._engine.verify(algorithm, key, jws.signing_input, jws.signature) is True:
                return key
        later = self._later_signer(candidates, jws)
        if later is None:
            raise InvalidCredentials(reason=self._unsigned(len(candidates), jws))
        return later

    def _later_signer(self, tried: Sequence[Key], jws: CompactJWS) -> Key | None:
        """The key that signed, among those that the issuer has published since: a key id may name a new key."""
        keys = self._keys
        if not isinstance(keys, RenewableKeys):
            return None
        for key in keys.newer(jws.kid, jws.algorithm, tried):
            if self._engine.verify(jws.algorithm, key, jws.signing_input, jws.signature) is True:
                return key
        return None

    def _unsigned(self, tried: int, jws: CompactJWS) -> str:
        """Why no key signed."""
        what = f"kid {show(jws.kid)} and alg {show(jws.algorithm)}"
        kids = getattr(self._keys, "kids", None)
        known = f"expected a key id of {show_names([kid or '' for kid in kids])}" if isinstance(kids, tuple) else ""
        source = f"{known or 'expected one of the keys'}: keys= must hold the issuer's keys"
        if tried:
            return f"the signature with {what} is by none of the keys tried ({tried}), {source}"
        return f"no key has {what}, {source}"

    def __repr__(self) -> str:
        return f"<JWT {self.issuer}>"


class Issuers:
    """A loader for tokens of several issuers: ``Bearer(Issuers(JWT(…), JWT(…)))``.

    The token's ``iss`` chooses, and from there on only that issuer's keys, audience and rules count (RFC 8725 §3.8).
    Raises `ConfigurationError` for two of the same issuer.
    """

    def __init__(self, *issuers: JWT) -> None:
        for loader in issuers:
            if not isinstance(loader, JWT):
                raise ConfigurationError(f"Issuers takes JWT objects, not {type(loader).__name__}")
        self._by_issuer = {loader.issuer: loader for loader in issuers}
        if len(self._by_issuer) != len(issuers):
            raise ConfigurationError("Issuers has one issuer twice: give one JWT all its audiences")
        if not issuers:
            raise ConfigurationError("Issuers is empty: give it a JWT for each issuer")

        self._remembering = tuple(loader for loader in issuers if loader.remembers)

    def __call__(self, token: str) -> Identity:
        """As `JWT`."""
        digest = digest_of(token) if self._remembering else b""
        try:
            for loader in self._remembering:
                known = loader._recall(digest)
                if known is not None:
                    return loader._still(known)
            jws = _read(token)
        finally:
            del token  # a traceback shows locals
        claims = _claims(jws)
        issuer = claims.get("iss")
        chosen = self._by_issuer.get(issuer) if isinstance(issuer, str) else None
        if chosen is None:
            raise InvalidCredentials(
                reason=f"iss is {show(issuer)}, expected one of {show_names(list(self._by_issuer))}: "
                "give Issuers a JWT for it"
            )
        return chosen._admit(jws, claims=claims, digest=digest)

    def check_app(self, app: Flask) -> None:
        """Called before an app's first request."""
        for loader in self._by_issuer.values():
            loader.check_app(app)

    def __repr__(self) -> str:
        return f"<Issuers {', '.join(self._by_issuer)}>"


def _read(token: str) -> CompactJWS:
    try:
        # What may come was decided before: UNAUTHORIZED_MAX_CREDENTIALS.
        return read_jws(token, max_size=LARGEST_AUTHORIZATION)
    except JOSEError as error:
        reason = f"{error} (it has {token.count('.') + 1} parts and {len(token)} characters)"
    if token.count(".") == 4:
        reason = "the token has five parts, as an encrypted one (JWE), expected three: have the issuer sign only"
    raise InvalidCredentials(reason=reason)


def _claims(jws: CompactJWS) -> dict[str, Any]:
    try:
        return read_json_object(jws.payload)
    except JOSEError as error:
        raise InvalidCredentials(reason=f"the payload is {error}, expected a JSON object of claims") from None


def _answer(answer: Any) -> bool:
    settled = resolve_awaitable(answer)
    if not isinstance(settled, bool):
        raise TypeError(f"revoked= returned a {type(settled).__name__}: return True or False")
    return settled


# --- of the developer


def _issuer(issuer: str) -> str:
    if not isinstance(issuer, str) or not issuer.strip() or issuer != issuer.strip():
        raise ConfigurationError(
            f"issuer must be the exact text of the tokens' iss, not {issuer!a}. Tokens of your own must name it, too: "
            "Flask-JWT-Extended writes it with JWT_ENCODE_ISSUER, and aud with JWT_ENCODE_AUDIENCE"
        )
    return issuer


def _algorithms(algorithms: Collection[str]) -> frozenset[str]:
    chosen = named(algorithms)
    symmetric = chosen.intersection(HMAC)
    if symmetric and symmetric != chosen:
        raise ConfigurationError(
            "algorithms mixes shared secrets (HS…) with public keys: an issuer signs in one way, so name that one"
        )
    return chosen


def _keys(issuer: str, keys: Any, algorithms: frozenset[str], proxy: str | None) -> Keys:
    if keys is None:
        if algorithms.intersection(HMAC):
            raise ConfigurationError("HS… needs a secret: keys=hmac_key(…); nobody publishes one")
        return _published(issuer, proxy)
    if proxy is not None:
        raise ConfigurationError("JWT has proxy= and keys=, which are not fetched by it: write JWKS(…, proxy=…)")
    if hasattr(keys, "candidates"):
        found: Keys = keys
    else:
        if isinstance(keys, (str, bytes, Mapping)):
            raise ConfigurationError(
                "keys must be made by public_key_pem(), public_key_jwk(), read_key_set() or hmac_key(): "
                f"a {type(keys).__name__} isn't guessed at"
            )
        found = StaticKeys((keys,) if isinstance(keys, Key) else keys)
    if getattr(found, "issuer", None) not in (None, issuer):
        raise ConfigurationError(f"the keys are those of another issuer than {issuer!a}")
    if isinstance(found, StaticKeys) and not any(key.algorithms & algorithms for key in found):
        raise ConfigurationError(
            f"none of the keys serves one of algorithms={tuple(sorted(algorithms))}: name those that the issuer uses"
        )
    return found


def _published(issuer: str, proxy: str | None) -> Keys:
    from .jwks import JWKS  # not above: who gives keys loads no HTTP client

    if not issuer.lower().startswith("https://"):
        raise ConfigurationError(
            f"issuer {issuer!a} must begin with https://, for its keys are fetched from there. For a demo on localhost "
            "give keys=JWKS.of_issuer(issuer, allow_http_loopback=True); for http:// in a network of your own give "
            "JWKS a fetch= or Introspection a post=: your callable decides about the URL"
        )
    return JWKS.of_issuer(issuer, proxy=proxy)


def _audiences(audience: str | Collection[str] | None, otherwise_bound: bool) -> frozenset[str] | None:
    if audience is None:
        if not otherwise_bound:
            log.warning("JWT with audience=None: a token that the issuer made for any other service opens this one")
        return None
    return checked_names("audience", audience)


def _leeway(leeway: int) -> int:
    if configured_seconds("leeway", leeway, most=MAX_LEEWAY) > LONG_LEEWAY:
        log.warning("JWT with leeway=%d: tokens live that many seconds longer than their issuer says", leeway)
    return leeway


def _size(remember: int) -> int:
    if isinstance(remember, bool) or not isinstance(remember, int) or not 0 <= remember <= 1_000_000:
        raise ConfigurationError(f"remember must be a number of tokens up to 1000000, not {remember!a}")
    return remember
