"""Check what an access token is bound to (``cnf``, RFC 7800): a key or a certificate.

`Bearer` and `DPoP` call `validated_confirmation` first. It refuses a token whose ``cnf`` names a method that isn't
known, because an unknown binding can't be checked, and an unchecked one is none. The scheme then checks the key
itself, and `check_certificate` the certificate.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Flask, Request

from ..errors import ConfigurationError, InvalidCredentials
from ..errors.text import shown
from .base import Scheme

KEY: Final = "jkt"
"""The member of ``cnf`` with the thumbprint of a key (RFC 9449 §6.1)."""
CERTIFICATE: Final = "x5t#S256"
"""The member of ``cnf`` with the SHA-256 of a certificate (RFC 8705 §3.1)."""
CertificateSource = Callable[[Request], bytes | None]
"""Returns the client's certificate, DER-encoded, ``None`` if there is none. See `flask_unauthorized.certificates`."""

_SHA_256: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def validated_confirmation(scheme: str, confirmation: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return ``confirmation`` if all its methods can be checked.

    Raises:
        InvalidCredentials: If there is no confirmation, or one with an unknown method.
    """
    if not confirmation:
        raise InvalidCredentials(
            reason=f"{scheme}: the token is bound to nothing, expected jkt or x5t#S256 in cnf: the issuer must bind "
            "it, and the loader return it as confirmation="
        )
    unknown = confirmation.keys() - {KEY, CERTIFICATE}
    if unknown:
        raise InvalidCredentials(
            reason=f"{scheme}: the token is bound by {shown(unknown)} (cnf), and only jkt and x5t#S256 can be checked"
        )
    return confirmation


def check_certificate(
    for_scheme: Scheme[Any], confirmation: Mapping[str, Any], source: CertificateSource | None, request: Request
) -> None:
    """Compare the client's certificate with that of the token (RFC 8705 §3).

    Args:
        for_scheme: The scheme that calls.
        confirmation: The token's ``cnf``, with the member `CERTIFICATE`.
        source: Finds the client's certificate; ``certificate=`` of the scheme.
        request: The request with the token.

    Raises:
        InvalidCredentials: If the client has another certificate or none.
        TypeError: If ``source`` returned something else than octets.
    """
    scheme = for_scheme.name
    if source is None:
        raise InvalidCredentials(
            reason=f"{scheme}: the token is bound to a certificate (cnf has x5t#S256), and {scheme} has no "
            "certificate=: give it one"
        )
    expected = confirmation.get(CERTIFICATE)
    if not isinstance(expected, str) or _SHA_256.fullmatch(expected) is None:
        came = (
            f"a text of {len(expected)} characters"
            if isinstance(expected, str)
            else f"of type {type(expected).__name__}"
        )
        raise InvalidCredentials(
            reason=f"{scheme}: x5t#S256 of the token is {came}, expected 43 characters of base64url"
        )
    certificate = for_scheme.call_option("certificate=", source, request)
    if certificate is None:
        raise InvalidCredentials(
            reason=f"{scheme}: the token is bound to a certificate, and certificate= returned None, so the client "
            "showed none"
        )
    if not isinstance(certificate, bytes):
        raise TypeError(f"certificate= returned a {type(certificate).__name__}: return the DER octets, or None")
    # Octets are compared, not text. The examples of RFC 8705 have a value whose unused bits are set.
    found = hashlib.sha256(certificate).digest()
    if not hmac.compare_digest(base64.urlsafe_b64decode(expected + "="), found):
        raise InvalidCredentials(
            reason=f"{scheme}: the client's certificate is not the one that the token is bound to, expected its "
            "SHA-256 to be x5t#S256"
        )


def check_source(source: CertificateSource | None, app: Flask) -> None:
    """Call ``check_app`` of a source that has it, before an app's first request."""
    check_app = getattr(source, "check_app", None)
    if callable(check_app):
        check_app(app)


def vary_fields(source: CertificateSource | None) -> tuple[str, ...]:
    """Return the request fields that ``source`` reads: its attribute ``varies``."""
    if source is not None and not callable(source):
        raise ConfigurationError(f"certificate must be a function of the request, not {source!r}")
    fields: tuple[str, ...] = getattr(source, "varies", ())
    return fields
