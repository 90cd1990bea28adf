"""DPoP (RFC 9449): access tokens are accepted only with a proof by their key.

One request passes these steps. The first one that fails ends it.

1. `DPoP.read` takes the token from ``Authorization`` and the proof from the field ``DPoP`` (§7.1). Without a token
   there are no credentials, whatever the field ``DPoP`` says.
2. `DPoP.verify` checks the form and the claims of the proof (§4.3), except for its signature and its nonce. See
   `dpop_proof`. Then the loader gets the token and returns the caller.
3. `DPoP.prove` compares the key in the proof with the key that the token is bound to (§6.1), and verifies the
   signature.
4. It checks the nonce, if the app asks for one (§9). See `nonces`. The time in the nonce then stands for ``iat``
   (check 11 of §4.3), so a client with a wrong clock can call the app.
5. It compares the client certificate, if the token is bound to one as well (RFC 8705 §3). See `confirmation`.
6. It marks the proof as used in the store (§11.1).
7. `DPoP.respond` sends the next nonce in ``DPoP-Nonce`` (§8.2, §9), if step 4 found that the client needs one.

A failure that the token causes is ``invalid_token``. One that the proof causes is ``invalid_dpop_proof``. A missing or
expired nonce is ``use_dpop_nonce``, and comes with a new nonce.

Invariants:

- A token that the loader accepts is never enough: `proves_key` makes `prove` run for every identity, and it refuses
  one without a ``confirmation``.
- A signature is verified only for a key that a valid token is bound to. Clients without a token can't make the app
  verify signatures, nor fill the cache of keys.
- A proof is used up last, so that a proof that fails another check takes no space in the store.
- The store forgets a proof later than any worker would accept it, even if the workers' clocks differ by
  `MAX_CLOCK_SKEW`. That is when ``iat`` is too old, or with nonces, when the nonce expires.
- A nonce is never stored.

Why the check is in two parts: form and claims cost little, and refuse most mistakes before the loader is asked. The
rest needs what the loader returned.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from flask import Flask, Request, Response, current_app
from flask import request as current_request

from ..arguments import explains_arguments, validated_flag, validated_whole_seconds
from ..errors import AuthError, InvalidCredentials, InvalidProof, NonceRequired
from ..errors.codes import with_code
from ..errors.text import shown
from ..identity import BareIdentity, Identity
from ..stores.base import Store, validated_store
from ..stores.memory import MemoryStore
from ..wire import Challenge
from ..wire.rules import MAX_CLOCK_SKEW
from .base import Loader, Scheme, Secret, call_loader
from .bearer import SPECIFICATION, check_token, oauth_challenges
from .confirmation import (
    CERTIFICATE,
    KEY,
    CertificateSource,
    check_certificate,
    check_source,
    validated_confirmation,
    vary_fields,
)
from .nonces import Nonces
from .state_access import realm_in_force, remember_for_response, remembered_for_response

if TYPE_CHECKING:
    from .dpop_proof import Proof

MAX_WINDOW: Final = 3600
"""Highest value of ``window`` and of ``ahead``, in seconds."""
DEFAULT_ALGORITHMS: Final = ("ES256", "Ed25519", "EdDSA", "PS256")
"""Default of ``algorithms``. ``Ed25519``, and ``EdDSA`` with a key of Ed25519, are one algorithm."""
_RFC: Final = "https://www.rfc-editor.org/rfc/rfc9449"
_NONCE_FIELD: Final = "DPoP-Nonce"


class DPoPCredentials:
    """An access token, and the field ``DPoP``.

    The ``repr`` shows no value, and the object can't be pickled.

    Attributes:
        proof: The proof as `DPoP.verify` read it from ``proof_field``.
        proof_field: The field ``DPoP``, ``None`` if it is absent.
        token: The access token.
    """

    __slots__ = ("proof", "proof_field", "token")
    proof: "Proof"
    proof_field: str | None
    token: str

    def __repr__(self) -> str:
        return "<DPoPCredentials>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("credentials are not pickled")


class DPoP(Scheme[DPoPCredentials]):
    """Accept access tokens only with a proof by the client's key (RFC 9449).

    A stolen token alone is worthless. Clients send ``Authorization: DPoP <token>``, and the proof in the field ``DPoP``
    (§7.1). Each proof is accepted once.

    The loader gets the token, a ``str``. It returns an `Identity` whose ``confirmation`` is the token's ``cnf`` (§6),
    with the thumbprint of the client's key: ``{"jkt": "0ZcOCORZ…"}``. An identity without one is refused. `Bearer` in
    turn refuses a token that is bound to a key.

    Needs the extra ``jwt``.

    Example:
        Accept the access tokens of an issuer if the client proves its key::

            from flask_unauthorized import Auth, DPoP
            from flask_unauthorized.loaders.jwt import JWT

            tokens = JWT("https://id.example.com", audience="https://api.example.com")
            auth = Auth(DPoP(tokens, origin="https://api.example.com"), app=app)

    Args:
        loader: Returns the identity for a token. May be registered with ``@dpop.loader`` instead.
        *more_loaders: Loaders for other kinds of tokens. They are asked in this order, and the first that doesn't
            reject the token decides. A loader's method ``recognizes``, if it has one, says which it isn't asked for.
        origin: Where clients reach the app, ``"https://api.example.com"``, or several. If a proxy removes a path
            prefix, add it here. The URI in a proof is compared with this, never with ``Host``. Plain http is accepted
            for localhost only.
        algorithms: How a proof may be signed: asymmetric algorithms of JWS (RFC 7518, RFC 8037, RFC 9864). ``RS256`` is
            accepted only if you name it.
        nonce: Whether clients must put a nonce of the app into their proofs (§9), which limits the proofs that can be
            made in advance. The age of the nonce is then checked in place of ``iat`` (§4.3), because clocks of clients
            may be wrong.
        nonce_lifetime: How long a nonce is accepted: seconds or a `timedelta`. A response brings a new one after half
            of that.
        window: How long ago a proof may have been made, by its ``iat``: seconds or a `timedelta`.
        ahead: How far in the future a proof may have been made, because clocks differ: seconds or a `timedelta`.
        min_rsa_bits: Fewest bits of an RSA key of a client: 2048 to 4096. Choose 3072 for 128 bits of security (NIST SP
            800-57).
        store: Holds the used proofs. The default `MemoryStore` isn't shared between processes.
        realm: The realm of this scheme, default the app's.
        certificate: Finds the client's certificate, for tokens that are bound to one as well: see `Bearer`.
        openapi: The Security Scheme Object for OpenAPI documents. Default: ``http`` with ``dpop``.

    Raises:
        ConfigurationError: If a value can't work.
        TypeError: If a value has the wrong type.
    """

    name = "DPoP"
    needs_loader = True
    proves_key = True
    bound_only = True
    oauth = True
    credential_kind = "token_with_proof"
    _credential = "the token"
    specification: ClassVar[Mapping[str, tuple[str, str]]] = {
        "invalid_token": ("RFC 9449 §7.1, the DPoP scheme", f"{_RFC}#section-7.1"),
        "invalid_request": ("RFC 9449 §7.1, the DPoP scheme", f"{_RFC}#section-7.1"),
        "invalid_dpop_proof": ("RFC 9449 §4.3, checking DPoP proofs", f"{_RFC}#section-4.3"),
        "use_dpop_nonce": ("RFC 9449 §9, nonces of resource servers", f"{_RFC}#section-9"),
        "insufficient_scope": SPECIFICATION["insufficient_scope"],
    }

    @explains_arguments(origin='write origin="https://api.example.com", where clients reach the app')
    def __init__(
        self,
        loader: Loader | None = None,
        *more_loaders: Loader,
        origin: str | Iterable[str],
        algorithms: Sequence[str] = DEFAULT_ALGORITHMS,
        nonce: bool = False,
        nonce_lifetime: int | timedelta = 300,
        window: int | timedelta = 60,
        ahead: int | timedelta = 10,
        min_rsa_bits: int = 2048,
        store: Store | None = None,
        realm: str | None = None,
        certificate: CertificateSource | None = None,
        openapi: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(loader, *more_loaders, realm=realm)
        self._keep_openapi(openapi)
        # Imported here, so that apps without DPoP need not install the extra, nor load it.
        from .dpop_proof import ProofRules

        self.window = validated_whole_seconds("window", window, most=MAX_WINDOW)
        self.ahead = validated_whole_seconds("ahead", ahead, most=MAX_WINDOW)
        self.nonce = validated_flag("nonce", nonce)
        self._rules = ProofRules(
            origin, algorithms, self.window, self.ahead, nonce=self.nonce, min_rsa_bits=min_rsa_bits
        )
        self.origins, self.algorithms = self._rules.origins, self._rules.algorithms
        self.min_rsa_bits = self._rules.min_rsa_bits
        self.nonce_lifetime = validated_whole_seconds("nonce_lifetime", nonce_lifetime, least=1)
        self.store = MemoryStore() if store is None else validated_store(store)
        self.certificate = certificate
        self.varies = ("DPoP", *vary_fields(certificate))
        if self.curl_options is None:
            self.curl_options = ("-H", f"Authorization: {self.name} TOKEN", "-H", "DPoP: PROOF")
        self._nonces = Nonces("dpop")
        self._challenge_params = (("algs", " ".join(self.algorithms)),)

    # --- what a scheme does

    def check(self, app: Flask) -> None:
        """Check what the scheme needs of the app: a secret key for nonces, and a shared store."""
        super().check(app)
        check_source(self.certificate, app)
        if self.nonce:
            self._nonces.check(app)
        self.store.check()
        self.store.check_processes(app, "DPoP: used proofs")

    def read(self, request: Request, rest: str | None) -> DPoPCredentials | None:
        """Take the token and the field ``DPoP``: step 1 of the module's description."""
        if rest is None:
            return None
        check_token(self.name, rest)
        credentials = DPoPCredentials()
        credentials.token = rest
        credentials.proof_field = request.environ.get("HTTP_DPOP")
        return credentials

    def verify(self, credentials: DPoPCredentials, request: Request) -> object | None:
        """Read the proof and ask the loader: step 2 of the module's description."""
        credentials.proof = self._rules.read(credentials.proof_field, credentials.token, request)
        self.store.check_workers(request.environ)
        secret = Secret()
        secret.arguments = (credentials.token,)
        found: object = call_loader(self, secret)
        return found

    def prove(self, identity: Identity, credentials: DPoPCredentials, request: Request) -> None:
        """Compare the proof with the token's binding and use it up: steps 3 to 6 of the module's description."""
        proof = credentials.proof
        if isinstance(identity, BareIdentity):
            raise TypeError(
                "the loader of DPoP returned a bare user or subject, which is bound to no key: return "
                'Identity(subject, user=…, confirmation={"jkt": …}), the cnf of the token'
            )
        confirmation = validated_confirmation(self.name, identity.confirmation)
        if confirmation.get(KEY) != proof.thumbprint:
            what = "is that of another key" if KEY in confirmation else "is absent"
            raise InvalidCredentials(
                reason=f"DPoP: jkt in cnf of the token {what}, expected the thumbprint of the key in the proof (RFC "
                "9449 section 7.1)"
            )
        if not self._rules.has_valid_signature(proof):
            raise InvalidProof(
                reason=f"DPoP: the proof is not signed by the key in its jwk, expected its {proof.algorithm} signature"
            )
        expires = self._nonce_expiry(proof.nonce, request) if self.nonce else proof.iat + self.window + self.ahead
        if CERTIFICATE in confirmation:
            check_certificate(self, confirmation, self.certificate, request)
        self._use_once(proof, expires)

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        """Return the challenge with ``algs`` (RFC 9449 §7.1), and give `NonceRequired` its nonce."""
        if self.nonce and isinstance(error, NonceRequired):
            if error.nonce is None:
                error.nonce = self._nonces.mint(current_app, realm)
            remember_for_response(self, request, error.nonce)
        return oauth_challenges(self.name, realm, error, self._challenge_params)

    def resource_members(self) -> Mapping[str, Sequence[str] | bool]:
        """Return the members of a resource's metadata that follow from this scheme (RFC 9728 §2)."""
        return {
            "bearer_methods_supported": ("header",),
            "dpop_signing_alg_values_supported": self.algorithms,
            "dpop_bound_access_tokens_required": True,
            "tls_client_certificate_bound_access_tokens": self.certificate is not None,
        }

    def responds(self) -> bool:
        """Return whether the app asks for nonces."""
        return self.nonce

    def respond(self, response: Response, accepted: bool) -> None:
        """Send a new nonce, also with a refusal: step 7 of the module's description."""
        nonce = remembered_for_response(self, current_request, str)
        if nonce is not None:
            response.headers[_NONCE_FIELD] = nonce  # Replaces any other, because one is allowed (RFC 9449 §8).
            response.headers["Cache-Control"] = "no-store"

    # --- inside

    def _nonce_expiry(self, nonce: object, request: Request) -> float:
        """Return when a valid nonce expires, by this process's clock. Raises `NonceRequired` for any other nonce."""
        realm = realm_in_force(self, request)
        age = self._nonces.age(current_app, realm, nonce) if isinstance(nonce, str) else None
        if age is None:
            what = "has no nonce" if nonce is None else "has a nonce that this app did not sign for the realm in force"
            raise NonceRequired(reason=f"DPoP: the proof {what}, and nonce=True asks for that of DPoP-Nonce")
        if not -MAX_CLOCK_SKEW <= age <= self.nonce_lifetime:
            raise NonceRequired(
                reason=f"DPoP: the nonce has expired: it is {age:.0f} s old, and nonce_lifetime={self.nonce_lifetime}"
            )
        if age > self.nonce_lifetime / 2:
            remember_for_response(self, request, self._nonces.mint(current_app, realm))
        return time.time() - age + self.nonce_lifetime

    def _use_once(self, proof: "Proof", expires: float) -> None:
        """Mark a proof as used until it ``expires``. Raises `InvalidProof` if it was used before."""
        left = expires - time.time()
        # The loader took long, and the store could have forgotten the proof before a second use of it. A nonce is
        # checked after the loader.
        if left < 0 and not self.nonce:
            raise InvalidProof(
                reason=f"DPoP: the proof expired while the loader ran: iat is {shown(proof.iat)}, window={self.window} "
                f"and ahead={self.ahead}"
            )
        if not self.store.claim("dpop", f"{proof.thumbprint} {proof.jti}", max(left, 0) + MAX_CLOCK_SKEW):
            raise with_code(
                InvalidProof(
                    reason="DPoP: a proof with this jti and key was used before, and each counts once: make a new one"
                ),
                "replayed",
            )
