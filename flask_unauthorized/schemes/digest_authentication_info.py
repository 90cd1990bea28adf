"""``Authentication-Info`` of Digest (RFC 7616 §3.5), a field for authenticated clients.

``nextnonce`` names the nonce for the next request. ``rspauth`` proves that the server knows the secret, too. It is
computed like the client's response, without the method, and with the body of the HTTP response if ``qop`` is
``auth-int``. The body of a streamed response isn't known when the fields are sent, so ``rspauth`` is left out then.
"""

from flask import Response

from ..wire.digest import digest_hash, response_hash
from ..wire.grammar import quote
from .digest_credentials import DigestCredentials


class VerifiedCredentials:
    """The part of a verified request that `authentication_info` needs.

    The ``repr`` shows no value.

    Args:
        credentials: The credentials that were verified.
        h_a1: H(A1) with which they were verified.
        realm: The realm in force.
        needs_nonce: Whether the client needs a new nonce for its next request or soon after.
    """

    __slots__ = ("credentials", "h_a1", "needs_nonce", "realm")

    def __init__(self, credentials: DigestCredentials, h_a1: str, realm: str, needs_nonce: bool) -> None:
        self.credentials = credentials
        self.h_a1 = h_a1
        self.realm = realm
        self.needs_nonce = needs_nonce

    def __repr__(self) -> str:
        return "<VerifiedCredentials>"


def authentication_info(
    verified: VerifiedCredentials, response: Response, *, method: str, next_nonce: str | None, rspauth: bool
) -> str:
    """Return the value of the field, empty if there is nothing to say.

    Args:
        verified: The request that was authenticated.
        response: The response that gets the field.
        method: The method of the request: a response to ``HEAD`` has no body.
        next_nonce: A new nonce for the client.
        rspauth: Whether to prove the server's knowledge of the secret.
    """
    params = [] if next_nonce is None else [f"nextnonce={quote(next_nonce)}"]
    sent = verified.credentials
    covers_body = sent.qop == "auth-int"
    has_known_body = not (response.is_streamed or response.direct_passthrough)
    if rspauth and sent.qop and (has_known_body or not covers_body):
        body = response.get_data() if covers_body and method != "HEAD" else b""
        proof = response_hash(
            sent.algorithm, verified.h_a1, method="", uri=sent.uri, nonce=sent.nonce, nc=sent.nc, cnonce=sent.cnonce,
            qop=sent.qop, body=digest_hash(sent.algorithm, body),
        )  # fmt: skip
        params += [f"qop={sent.qop}", f"rspauth={quote(proof)}", f"cnonce={quote(sent.cnonce)}", f"nc={sent.nc}"]
    return ", ".join(params)
