"""`JWT` and `Issuers`: access tokens that an issuer signed (RFC 9068). Needs the extra ``jwt``.

Theory of operation
-------------------

A token becomes an `Identity` in these steps, and each may reject it. `JWT.__call__` and `JWT._accept` show them all:

1. **Cache** (`token_cache`): a token that was verified before, and whose key is still the issuer's, skips to step 6.
2. **Form** (`wire.jws.read_jws`): three parts, canonical base64url, a header of known members.
3. **Key** (`JWT._verify`): ``typ`` and ``alg`` must be allowed by this loader. Then the issuer's keys for the ``kid``
   are tried. The header chooses among the issuer's keys; it never brings a key or an algorithm of its own.
4. **Signature** (`jose.engine`). If no key signed, newer keys of the issuer are tried once.
5. **Claims** (`jwt_claims.ClaimRules`): issuer, audience, times, kind of token, subject, required claims.
6. **What may change** while the token lives, asked each time: ``revoked=``, then ``user=``.

Invariants:

- `JWT` parses the payload only after the signature was verified. `Issuers` has to read ``iss`` before that, to
  choose the issuer; nothing else of the payload is used before the chosen `JWT` has verified the signature. The same
  holds for ``recognizes``, by which a scheme with several loaders finds out which one to ask.
- Keys that can't be known now are `AuthUnavailable` (503). Missing keys never reject or accept a token.
- No frame of a traceback holds the token's text, because debug pages and error trackers show local variables.

The mistakes of developers are found in `jwt_options`, when a `JWT` is made.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from enum import Enum
from time import time
from typing import Any, Final, Literal

from flask import Flask

from ..arguments import Omitted, explains_arguments
from ..errors import ConfigurationError, InvalidCredentials, RevokedCredentials
from ..identity import Identity
from ..jose import Engine, Key, Keys, PyJWTEngine
from ..jose.algorithms import RSA
from ..jose.key_selection import MAX_CANDIDATES, LongKeys, RenewableKeys
from ..jose.key_strength import validated_min_rsa_bits
from ..schemes.run_async import resolve_awaitable
from ..schemes.state_access import note_token_issuer, warn_of_switch
from ..wire.credentials import token_digest
from ..wire.grammar import MAX_CREDENTIAL_LIMIT
from ..wire.jws import CompactJWS, JOSEError, has_no_issuer, read_json_object, read_jws
from ..wire.jws import unverified_issuer as _unverified_issuer  # no name of this module gives unverified claims
from .claims import (
    DetailsDemand,
    RolesPaths,
    check_parts,
    claim_path,
    shown_claim,
    shown_names,
    validated_callable,
    validated_count,
    validated_details_demand,
    validated_names,
    with_user,
)
from .jwt_claims import ClaimRules
from .jwt_options import (
    algorithms_in_force,
    check_limits,
    clock_limits,
    long_keys_of,
    validated_audiences,
    validated_issuer,
)
from .jwt_profiles import PROFILES
from .revocation import Revocations
from .token_cache import TokenCache, VerifiedToken

DEFAULT_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""What issuers sign with today; RFC 9068 §2.1 asks for the first."""


class Anything(Enum):
    """The type of `ANY`, which stands for any value of a claim that isn't empty.

    Example:
        Reject tokens without an e-mail address::

            from flask_unauthorized.loaders.jwt import ANY, JWT

            tokens = JWT("https://id.example.com", audience="notes", required_claims={"email": ANY})
    """

    ANY = "any value"


_NO_USER: Final[Any] = Omitted("<none>")
"""The default of ``user=``. It works like ``None``, which says that the app names users by `Identity.key`."""
ANY: Final = Anything.ANY
"""For ``required_claims={"sub": ANY}``: the claim must be there and not be empty, whatever its value."""


class JWT:
    """A loader of signed access tokens (RFC 9068, RFC 7519).

    A token is valid if ``issuer`` signed it by one of its keys, and it names that issuer exactly, one of ``audience``,
    a subject, and an end that has not come (RFC 9068 §4).

    ``profile="rfc9068"`` also demands ``typ: at+jwt``, ``client_id``, ``iat`` and ``jti``, and reads scopes from
    ``scope``. ``profile="oidc-compat"`` is for issuers that write other tokens:

    - ``typ`` may be ``JWT`` or absent, and the three claims may be absent.
    - The client is also read from ``azp``, ``cid`` or ``appid``, the scopes also from ``scp`` and from lists.
    - ID tokens are recognized by their claims only (``at_hash``, ``token_use``, …; ``nonce`` if nothing says that it
      is an access token), so the audience decides.
    - A token without ``sub`` that names its client is accepted. Its identity has a ``client_id`` and no ``subject``.
      ``required_claims={"sub": ANY}`` rejects those.

    ``profile="jwt-extended"`` is for tokens that your app issued with Flask-JWT-Extended, until they have expired:

    - ``type`` must be present and be ``access``. Tokens of your app for another purpose don't have it.
    - ``issuer`` may be ``None``. Then the tokens have no ``iss``, and one that has it is rejected.
    - An integer ``sub`` is a subject, as text.
    - A token that was issued ``fresh`` has its ``iat`` as ``auth_time``, as long as it is fresh.

    ``profile="fapi2"`` is ``"rfc9068"`` with the rules of the FAPI 2.0 Security Profile for resource servers:

    - PS256, ES256 and EdDSA with Ed25519 (both names) are the algorithms (§5.4.1).
    - The token must be bound to a key or a certificate (``cnf``), which `DPoP` or `Bearer` then compares (§5.3.4).
    - Tokens dated up to 10 s ahead are accepted, and ``ahead`` may be 10 to 60 (§5.3.2.1). ``leeway`` is 0 by default.
    - An argument that contradicts these rules is a `ConfigurationError`, and so is ``audience=None``.

    Example:
        Accept the tokens of Keycloak, with its roles::

            from flask_unauthorized import Auth, Bearer
            from flask_unauthorized.loaders.jwt import JWT

            tokens = JWT(
                "https://id.example.com/realms/notes", audience="notes-api",
                profile="oidc-compat", roles_claim="realm_access.roles", user=None,
            )
            auth = Auth(Bearer(tokens), app=app)

    Args:
        issuer: The exact ``iss`` of the tokens. ``None`` only with ``profile="jwt-extended"``.
        audience: The names of this API, one of which must be in ``aud``. ``None``: any audience; the log warns unless
            ``required_claims`` demands something else, or ``profile="jwt-extended"``.
        keys: A `Key`, several of them, or any `Keys`. Default: fetched from the issuer (`JWKS`).
        algorithms: The algorithms that the issuer may use. HS256, HS384 and HS512 need an `hmac_key` and can't be mixed
            with others. Default: those of the profile, else `DEFAULT_ALGORITHMS`.
        profile: ``"rfc9068"``, ``"oidc-compat"``, ``"jwt-extended"`` or ``"fapi2"``.
        leeway: How long after ``exp`` a token is accepted, because clocks differ: seconds or a `timedelta`, at most
            3 600 s. ``expires_at`` of the identity includes it. Default: 60, with ``profile="fapi2"`` 0.
        ahead: How far in the future ``nbf`` and ``iat`` may be, because clocks differ: seconds or a `timedelta`, at
            most 3 600 s. Default: ``leeway``, with ``profile="fapi2"`` 10.
        min_rsa_bits: Fewest bits of an RSA key of the issuer: 2048 to 4096. Choose 3072 for 128 bits of security (NIST
            SP 800-57). A shorter one in ``keys`` is a `ConfigurationError`; a shorter one that is fetched doesn't
            count, and the log names it.
        allow_eternal: Whether tokens without ``exp`` are accepted.
        roles_claim: Where the roles are: ``"roles"``, ``"realm_access.roles"``, or a tuple of names if there are dots
            in them. A name with ``://`` isn't split. A list has several paths, whose roles add up. A string, an array
            of strings, and the member names of an object are roles.
        required_claims: Claims that must be, or list, one of the values given, or `ANY`: ``{"tid": "…"}``.
        user: Looks up your user object for an `Identity`; ``None`` rejects. It may be async, and is called each time.
            If the app accepts several issuers, ``auth.check()`` warns of a `JWT` without it. ``user=None``, written
            out, says that the app names users by `Identity.key`.
        revoked: Says of an `Identity` whether its token was revoked, ``True`` or ``False`` (`Revocations` is one). It
            may be async, and is called each time.
        authorization_details: ``"demand"``: each view that doesn't look at the ``authorization_details`` of a token
            (RFC 9396), by ``authorization_details=`` of its guard, refuses it with 403. Default: such views take the
            token for what its scopes and roles say.
        cache_size: Most verified tokens that are cached, for as long as they and their keys are valid; 0: none.
        engine: Verifies signatures in place of PyJWT.
        proxy: The URL of an HTTP proxy for fetching the issuer's keys; see `JWKS`. With ``keys``, give it to `JWKS`.

    Raises:
        ConfigurationError: A value is out of range, or values don't fit together.
        TypeError: A value has the wrong type.
    """

    bearer_format: Final = "JWT"
    """What OpenAPI documents call the tokens."""

    @explains_arguments(
        issuer='write JWT("https://id.example.com", audience=...), the iss of its tokens',
        audience='write audience="https://api.example.com", the aud of tokens for this app; audience=None takes any',
    )
    def __init__(
        self,
        issuer: str | None,
        *,
        audience: str | Collection[str] | None,
        keys: Keys | Key | Iterable[Key] | None = None,
        algorithms: Collection[str] | None = None,
        profile: Literal["rfc9068", "oidc-compat", "jwt-extended", "fapi2"] = "rfc9068",
        leeway: int | timedelta | None = None,
        ahead: int | timedelta | None = None,
        min_rsa_bits: int = 2048,
        allow_eternal: bool = False,
        roles_claim: RolesPaths | None = None,
        required_claims: Mapping[str, str | Collection[str] | Anything] | None = None,
        user: Callable[[Identity], Any] | None = _NO_USER,
        revoked: Callable[[Identity], Any] | None = None,
        authorization_details: DetailsDemand = None,
        cache_size: int = 0,
        engine: Engine | None = None,
        proxy: str | None = None,
    ) -> None:
        self.issuer = validated_issuer(issuer, profile)
        self._algorithms = algorithms_in_force(algorithms, profile, DEFAULT_ALGORITHMS)
        self._keys = long_keys_of(self.issuer, keys, self._algorithms, proxy, validated_min_rsa_bits(min_rsa_bits))
        check_limits(profile, audience, allow_eternal)
        late, early = clock_limits(leeway, ahead, profile)
        required = tuple(
            (name, None if value is ANY else validated_names(f"required_claims[{name!a}]", value))
            for name, value in (required_claims or {}).items()
        )
        if PROFILES[profile].demands_binding:
            required = (("cnf", None), *required)
        self._rules = ClaimRules(
            issuer=self.issuer,
            audiences=validated_audiences(
                audience, limited=bool(required) or PROFILES[profile].required_kind is not None
            ),
            profile=PROFILES[profile],
            leeway=late,
            ahead=early,
            allow_eternal=allow_eternal,
            roles_claim=claim_path(roles_claim),
            required=required,
            needs_id=revoked is not None,
            restricts=validated_details_demand(authorization_details),
        )
        self._user_is_given = user is not _NO_USER
        self._user = validated_callable("user", user) if self._user_is_given else None
        self._revoked = validated_callable("revoked", revoked)
        if isinstance(revoked, Revocations):
            if self.issuer is None:
                raise ConfigurationError(
                    "revoked=Revocations(...) knows tokens by iss and jti, and these have no iss: give a callable that "
                    "looks up identity.claims['jti'] in your blocklist"
                )
            revoked.cover(max(late, early))
        self._engine = PyJWTEngine() if engine is None else engine
        size = validated_count("cache_size", cache_size, least=0)
        self._cache = TokenCache(size) if size else None

    def __call__(self, token: str) -> Identity:
        """Return the identity of ``token``.

        Raises:
            InvalidCredentials: The token is malformed, or not signed by the issuer, or not for this API.
            ExpiredCredentials: It has expired.
            RevokedCredentials: ``revoked`` returned ``True``.
            AuthUnavailable: The keys, or whether it was revoked, can't be known now (503).
        """
        digest = None if self._cache is None else token_digest(token)
        try:
            cached = None if digest is None else self._cached(digest)
            found = _read(token) if cached is None else cached
        finally:
            del token  # a traceback shows locals
        return self._check_current(found if isinstance(found, Identity) else self._accept(found, digest=digest))

    def recognizes(self, token: str) -> bool:
        """Return whether ``token`` has three parts, and names ``issuer``, or no issuer if that is ``None``.

        Nothing is verified. A scheme with several loaders doesn't ask this one for other tokens.
        """
        return has_no_issuer(token) if self.issuer is None else _unverified_issuer(token) == self.issuer

    def check_app(self, app: Flask) -> None:
        """Check the keys and the callables before an app's first request."""
        check_parts(app, self._keys, self._user, self._revoked)
        if self.issuer is not None:
            note_token_issuer(app, self.issuer, self._user_is_given)
        if self._rules.allow_eternal:
            warn_of_switch(
                app,
                "JWT(allow_eternal=True): a token without exp that leaks is valid for as long as its key is: let the "
                "issuer write exp, or give revoked= to end single tokens",
            )

    # --- the steps, also for `Issuers` and `LogoutTokens`

    def _verified_claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that the issuer signed. Nothing but type and signature is checked."""
        try:
            jws = _read(token)
        finally:
            del token  # a traceback shows locals
        self._verify(jws)
        return _claims(jws)

    def _accept(
        self, jws: CompactJWS, *, claims: dict[str, Any] | None = None, digest: bytes | None = None
    ) -> Identity:
        """Verify a token that was read; ``claims`` are those of its payload, if `Issuers` has parsed it."""
        key = self._verify(jws)
        if claims is None:
            claims = _claims(jws)
        identity = self._rules.identity(claims, jws.header, time())
        if self._cache is not None and digest is not None:
            verified = VerifiedToken(identity, key, jws.kid, jws.algorithm, self._rules.cacheable_until(identity))
            self._cache.put(digest, verified)
        return identity

    def _verify(self, jws: CompactJWS) -> Key:
        """Return the key that signed. Nothing of the payload is used before."""
        self._rules.check_type(jws.header)
        algorithm, kid = jws.algorithm, jws.kid
        if algorithm not in self._algorithms:
            raise InvalidCredentials(
                reason=f"alg is {shown_claim(algorithm)}, expected one of {shown_names(sorted(self._algorithms))}: "
                "algorithms= names what the issuer may use"
            )
        keys = self._keys
        candidates = keys.candidates(kid, algorithm)
        for key in candidates[:MAX_CANDIDATES]:
            if self._engine.verify(algorithm, key, jws.signing_input, jws.signature) is True:
                return key
        # The issuer may have given the key id to a new key since.
        newer = keys.newer(kid, algorithm, candidates) if isinstance(keys, RenewableKeys) else ()
        for key in newer[:MAX_CANDIDATES]:
            if self._engine.verify(algorithm, key, jws.signing_input, jws.signature) is True:
                return key
        raise InvalidCredentials(reason=self._no_signer(min(len(candidates), MAX_CANDIDATES), jws))

    def _cached(self, digest: bytes) -> Identity | None:
        """Return the identity of a token that was verified before, if its key is still one of the issuer's."""
        if self._cache is None:
            return None
        verified = self._cache.get(digest)
        if verified is None:
            return None
        if verified.key not in self._keys.candidates(verified.kid, verified.algorithm):
            self._cache.remove(digest)
            return None
        return verified.identity

    def _check_current(self, identity: Identity) -> Identity:
        """Ask what may change while a token lives: whether it was revoked, and who its user is."""
        if self._revoked is not None:
            is_revoked = resolve_awaitable(self._revoked(identity))
            if not isinstance(is_revoked, bool):
                raise TypeError(f"revoked= returned a {type(is_revoked).__name__}: return True or False")
            if is_revoked:
                raise RevokedCredentials(reason="revoked= returned True, so the token was revoked: get a new one")
        return identity if self._user is None else with_user(identity, self._user)

    def _no_signer(self, tried: int, jws: CompactJWS) -> str:
        """Describe why no key signed."""
        what = f"kid {shown_claim(jws.kid)} and alg {shown_claim(jws.algorithm)}"
        kids = getattr(self._keys, "kids", None)
        known = "expected one of the keys"
        if not tried and isinstance(kids, tuple) and any(kids):
            known = f"expected a key id of {shown_names([kid or '' for kid in kids])}"
        source = f"{known}: {self._fix_of_signer(tried, jws)}"
        if isinstance(self._keys, LongKeys) and jws.algorithm in RSA:
            source += f", and RSA keys below min_rsa_bits={self._keys.min_rsa_bits} don't count"
        if tried:
            return f"the signature with {what} is by none of the keys tried ({tried}), {source}"
        return f"no key has {what}, {source}"

    def _fix_of_signer(self, tried: int, jws: CompactJWS) -> str:
        """Say what to do about a token that no key signed. Its unverified issuer is used for this text only."""
        try:
            issuer = read_json_object(jws.payload).get("iss")
        except JOSEError:
            issuer = None
        if self.issuer is not None and isinstance(issuer, str) and issuer != self.issuer:
            is_url = issuer.startswith(("https://", "http://")) and not {*"@?#"}.intersection(issuer)
            # Only a plain URL is shown. Anybody may have written this text, and it may be a secret that went astray.
            other = shown_claim(issuer) if is_url else "another issuer"
            return f"the token says that it is from {other}, not from {self.issuer!a}"
        if not isinstance(self._keys, RenewableKeys):
            return "keys= must hold the issuer's keys"
        if tried:
            return "another server signed the token, or it was changed on its way"
        return "get a new token, for the issuer doesn't publish this key, or no longer"

    def __repr__(self) -> str:
        return f"<JWT {self.issuer or 'without issuer'}>"


class Issuers:
    """A loader for tokens of several issuers: ``Bearer(Issuers(JWT(…), JWT(…)))``.

    The token's ``iss`` chooses the `JWT`. From there on only its keys, audience and rules count (RFC 8725 §3.8).

    Example:
        Accept the tokens of two issuers::

            from flask_unauthorized import Auth, Bearer
            from flask_unauthorized.loaders.jwt import JWT, Issuers

            staff = JWT("https://staff.example.com", audience="notes", user=None)
            customers = JWT("https://login.example.com", audience="notes", user=None)
            auth = Auth(Bearer(Issuers(staff, customers)), app=app)

    Args:
        *issuers: One `JWT` for each issuer.

    Raises:
        ConfigurationError: There is none, or there are two of one issuer.
    """

    bearer_format: Final = JWT.bearer_format

    def __init__(self, *issuers: JWT) -> None:
        self._by_issuer: dict[str, JWT] = {}
        for loader in issuers:
            if not isinstance(loader, JWT):
                raise ConfigurationError(f"Issuers takes JWT objects, not {type(loader).__name__}")
            if loader.issuer is None:
                raise ConfigurationError(
                    "Issuers chooses by iss, and one JWT has issuer=None: write Bearer(Issuers(...), JWT(None, ...))"
                )
            self._by_issuer[loader.issuer] = loader
        if len(self._by_issuer) != len(issuers):
            raise ConfigurationError("Issuers has one issuer twice: give one JWT all its audiences")
        if not issuers:
            raise ConfigurationError("Issuers is empty: give it a JWT for each issuer")
        self._with_cache = tuple(loader for loader in issuers if loader._cache is not None)

    def __call__(self, token: str) -> Identity:
        """Return the identity of ``token``: see `JWT`."""
        digest = token_digest(token) if self._with_cache else b""
        try:
            for loader in self._with_cache:
                identity = loader._cached(digest)
                if identity is not None:
                    return loader._check_current(identity)
            jws = _read(token)
        finally:
            del token  # a traceback shows locals
        claims = _claims(jws)
        issuer = claims.get("iss")
        chosen = self._by_issuer.get(issuer) if isinstance(issuer, str) else None
        if chosen is None:
            raise InvalidCredentials(
                reason=f"iss is {shown_claim(issuer)}, expected one of {shown_names(list(self._by_issuer))}: "
                "give Issuers a JWT for it"
            )
        return chosen._check_current(chosen._accept(jws, claims=claims, digest=digest))

    def recognizes(self, token: str) -> bool:
        """Return whether ``token`` claims to be of one of the issuers: see `JWT.recognizes`."""
        return _unverified_issuer(token) in self._by_issuer

    def check_app(self, app: Flask) -> None:
        """Check each `JWT` before an app's first request."""
        for loader in self._by_issuer.values():
            loader.check_app(app)

    def __repr__(self) -> str:
        return f"<Issuers {', '.join(self._by_issuer)}>"


def _read(token: str) -> CompactJWS:
    try:
        # The size was limited before, by UNAUTHORIZED_MAX_CREDENTIALS.
        return read_jws(token, max_size=MAX_CREDENTIAL_LIMIT)
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
