"""DPoP: access tokens that are good only with a proof by the key that they are bound to (RFC 9449)."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from flask import Flask, Request, Response, current_app
from flask import request as current_request

from ..arguments import explains_arguments
from ..errors import (
    AuthError,
    InvalidCredentials,
    InvalidProof,
    NonceRequired,
    configured_seconds,
    shown,
)
from ..identity import BareIdentity, Identity
from ..stores.base import Store, checked_store
from ..stores.memory import MemoryStore
from ..wire import Challenge
from .base import Loader, Scheme, Secret, ask_loader
from .bearer import SPECIFICATION, check_token, oauth_challenges
from .confirmation import CERTIFICATE, KEY, CertificateSource, fields_of, known_methods, prove_certificate
from .nonces import MAX_SKEW, Nonces

if TYPE_CHECKING:
    from .dpop_proof import Proof

MAX_WINDOW: Final = 3600
"""Longest time that a proof may be good for, in seconds."""
DEFAULT_ALGORITHMS: Final = ("ES256", "Ed25519", "EdDSA", "PS256")
"""Those taken unless told otherwise; ``Ed25519`` and ``EdDSA`` with a key of Ed25519 are one algorithm."""
_RFC: Final = "https://www.rfc-editor.org/rfc/rfc9449"
_FIELD: Final = "DPoP-Nonce"
_FRESH: Final = "_unauthorized_dpop"
"""The private attribute of the request object that holds the nonce which its answer brings."""


class DPoPCredentials:
    """A token and what came in the field ``DPoP``. Its ``repr`` shows nothing and it cannot be pickled."""

    __slots__ = ("proof", "sent", "token")
    proof: "Proof"
    sent: str | None
    token: str

    def __repr__(self) -> str:
        return "<DPoPCredentials>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("credentials are not pickled")


class DPoP(Scheme[DPoPCredentials]):
    """``Authorization: DPoP <token>`` with a proof in the field ``DPoP`` (RFC 9449 §7.1). A stolen token is worthless.

    The loader gets the access token, a ``str``, and returns an `Identity` whose ``confirmation`` holds the thumbprint
    of the client's key: ``{"jkt": "0ZcOCORZ…"}``, the token's ``cnf`` (§6). An identity without one is refused, and so
    is a bound token under `Bearer`. Every proof counts once.

    - ``origin``: where clients reach the app, ``"https://api.example.com"``, with a path in front of the app's own
      where a proxy cuts one off; or several. The URI in a proof is compared with that, never with ``Host``. Plain
      http on localhost only.
    - ``algorithms``: of those of JWS (RFC 7518, RFC 8037, RFC 9864), asymmetric ones only; ``RS256`` if you name it.
    - ``nonce``: clients must put a nonce of ours into their proofs (§9), which limits what can be made in advance.
      Each lives for ``nonce_lifetime`` seconds; a new one comes with an answer when half of that is over.
    - ``window``, ``ahead``: how long before and after our time a proof may have been made, in seconds.
    - ``store``: where used proofs are kept; default a `MemoryStore`, which several processes don't share.
    - ``certificate``: as for `Bearer`, for tokens that are bound to a certificate as well.

    Needs the extra ``jwt``. Raises `ConfigurationError` or `TypeError` for what cannot be.
    """

    name = "DPoP"
    needs_loader = True
    proves_key = True
    oauth = True
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
        *,
        origin: str | Iterable[str],
        algorithms: Sequence[str] = DEFAULT_ALGORITHMS,
        nonce: bool = False,
        nonce_lifetime: int = 300,
        window: int = 60,
        ahead: int = 10,
        store: Store | None = None,
        realm: str | None = None,
        certificate: CertificateSource | None = None,
    ) -> None:
        super().__init__(loader, realm=realm)
        # Here and not above: without a DPoP object nobody needs the extra, nor pays for loading it.
        from .dpop_proof import ProofRules

        self.window = configured_seconds("window", window, most=MAX_WINDOW)
        self.ahead = configured_seconds("ahead", ahead, most=MAX_WINDOW)
        self._rules = ProofRules(origin, algorithms, self.window, self.ahead)
        self.origins, self.algorithms = self._rules.origins, self._rules.algorithms
        if not isinstance(nonce, bool):
            raise TypeError(f"nonce must be True or False, not {nonce!r}")
        self.nonce = nonce
        self.nonce_lifetime = configured_seconds("nonce_lifetime", nonce_lifetime, least=1)
        self.store = MemoryStore() if store is None else checked_store(store)
        self.certificate = certificate
        self.varies = ("DPoP", *fields_of(certificate))
        if self.curl_options is None:
            self.curl_options = ("-H", f"Authorization: {self.name} TOKEN", "-H", "DPoP: PROOF")
        self._nonces = Nonces("dpop")
        self._told = (("algs", " ".join(self.algorithms)),)

    # --- what a scheme does

    def check(self, app: Flask) -> None:
        super().check(app)
        if self.nonce:
            self._nonces.check(app)
        self.store.check()
        self.store.check_processes(app, "DPoP: used proofs")

    def read(self, request: Request, rest: str | None) -> DPoPCredentials | None:
        if rest is None:
            return None  # a proof alone is no credential
        check_token(self.name, rest)
        credentials = DPoPCredentials()
        credentials.token = rest
        credentials.sent = request.environ.get("HTTP_DPOP")
        return credentials

    def verify(self, credentials: DPoPCredentials, request: Request) -> object | None:
        credentials.proof = self._rules.read(credentials.sent, credentials.token, request)
        self.store.check_workers(request.environ)
        secret = Secret()
        secret.parts = (credentials.token,)
        found: object = ask_loader(self, secret)
        return found

    def prove(self, identity: Identity, credentials: DPoPCredentials, request: Request) -> None:
        """The token's key, then the signature by it, the nonce, the certificate; what is used up comes last."""
        proof = credentials.proof
        if isinstance(identity, BareIdentity):
            raise TypeError(
                "the loader of DPoP returned a bare user or subject, which is bound to no key: return "
                'Identity(subject, user=…, confirmation={"jkt": …}), the cnf of the token'
            )
        confirmation = known_methods(self.name, identity.confirmation)
        if confirmation.get(KEY) != proof.thumbprint:
            what = "is that of another key" if KEY in confirmation else "is absent"
            raise InvalidCredentials(
                reason=f"DPoP: jkt in cnf of the token {what}, expected the thumbprint of the key in the proof (RFC "
                "9449 section 7.1)"
            )
        if not self._rules.is_signed(proof):
            raise InvalidProof(
                reason=f"DPoP: the proof is not signed by the key in its jwk, expected its {proof.algorithm} signature"
            )
        if self.nonce:
            self._check_nonce(proof.nonce, request)
        if CERTIFICATE in confirmation:
            prove_certificate(self, confirmation, self.certificate, request)
        self._use_up(proof)

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        if self.nonce and isinstance(error, NonceRequired):
            if error.nonce is None:
                error.nonce = self._nonces.mint(current_app, realm)
            setattr(request, _FRESH, error.nonce)
        return oauth_challenges(self.name, realm, error, self._told)

    def resource_members(self) -> Mapping[str, Sequence[str] | bool]:
        return {
            "bearer_methods_supported": ("header",),
            "dpop_signing_alg_values_supported": self.algorithms,
            "dpop_bound_access_tokens_required": True,
            "tls_client_certificate_bound_access_tokens": self.certificate is not None,
        }

    def responds(self) -> bool:
        return self.nonce

    def respond(self, response: Response, accepted: bool) -> None:
        nonce = getattr(current_request, _FRESH, None)
        if nonce is not None:
            response.headers[_FIELD] = nonce  # in place of any other: one only (RFC 9449 §8)
            response.headers["Cache-Control"] = "no-store"

    # --- inside

    def _check_nonce(self, nonce: Any, request: Request) -> None:
        realm = self.realm_in(request)
        age = self._nonces.age(current_app, realm, nonce) if isinstance(nonce, str) else None
        if age is None:
            what = "has no nonce" if nonce is None else "has a nonce that this app did not sign for the realm in force"
            raise NonceRequired(reason=f"DPoP: the proof {what}, and nonce=True asks for that of DPoP-Nonce")
        if not -MAX_SKEW <= age <= self.nonce_lifetime:
            raise NonceRequired(
                reason=f"DPoP: the nonce has expired: it is {age:.0f} s old, and nonce_lifetime={self.nonce_lifetime}"
            )
        if age > self.nonce_lifetime / 2:
            setattr(request, _FRESH, self._nonces.mint(current_app, realm))

    def _use_up(self, proof: "Proof") -> None:
        """Each proof once, for as long as it would be taken, also by a worker whose clock is behind."""
        left = proof.iat + self.window + self.ahead - time.time()
        if left < 0:  # the loader took so long; who comes later still could find nothing kept
            raise InvalidProof(
                reason=f"DPoP: the proof expired while the loader ran: iat is {shown(proof.iat)}, window={self.window} "
                f"and ahead={self.ahead}"
            )
        if not self.store.claim("dpop", f"{proof.thumbprint} {proof.jti}", left + MAX_SKEW):
            raise InvalidProof(
                reason="DPoP: a proof with this jti and key was used before, and each counts once: make a new one"
            )
