"""What binds a token to its holder (RFC 7800 ``cnf``): a key (RFC 9449) or a certificate (RFC 8705)."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from flask import Request

from ..errors import ConfigurationError, InvalidCredentials, shown

KEY: Final = "jkt"
"""The member that holds the thumbprint of a key (RFC 9449 §6.1)."""
CERTIFICATE: Final = "x5t#S256"
"""The member that holds the SHA-256 of a certificate (RFC 8705 §3.1)."""
CertificateSource = Callable[[Request], bytes | None]
"""Finds the client's certificate, DER-encoded; ``None`` where it showed none. See `flask_unauthorized.certificates`."""

_HASH: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def known_methods(scheme: str, confirmation: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The confirmation, where there is one and all its methods can be checked; else `InvalidCredentials`."""
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


class Asking(Protocol):
    """The part of a scheme that `prove_certificate` needs."""

    name: str

    def ask(self, option: str, function: Callable[..., Any], *args: Any) -> Any:
        """See `Scheme.ask`."""


def prove_certificate(
    by: Asking, confirmation: Mapping[str, Any], source: CertificateSource | None, request: Request
) -> None:
    """Compares the client's certificate with that of the token (RFC 8705 §3); `InvalidCredentials` for another one."""
    scheme = by.name
    if source is None:
        raise InvalidCredentials(
            reason=f"{scheme}: the token is bound to a certificate (cnf has x5t#S256), and {scheme} has no "
            "certificate=: give it one"
        )
    expected = confirmation.get(CERTIFICATE)
    if not isinstance(expected, str) or _HASH.fullmatch(expected) is None:
        came = (
            f"a text of {len(expected)} characters"
            if isinstance(expected, str)
            else f"of type {type(expected).__name__}"
        )
        raise InvalidCredentials(
            reason=f"{scheme}: x5t#S256 of the token is {came}, expected 43 characters of base64url"
        )
    certificate = by.ask("certificate=", source, request)
    if certificate is None:
        raise InvalidCredentials(
            reason=f"{scheme}: the token is bound to a certificate, and certificate= returned None, so the client "
            "showed none"
        )
    if not isinstance(certificate, bytes):
        raise TypeError(f"certificate= returned a {type(certificate).__name__}: return the DER octets, or None")
    # Octets, not texts: the figures of RFC 8705 themselves have a value whose spare bits are set.
    found = hashlib.sha256(certificate).digest()
    if not hmac.compare_digest(base64.urlsafe_b64decode(expected + "="), found):
        raise InvalidCredentials(
            reason=f"{scheme}: the client's certificate is not the one that the token is bound to, expected its "
            "SHA-256 to be x5t#S256"
        )


def fields_of(source: CertificateSource | None) -> tuple[str, ...]:
    """The request fields that a source reads, for ``Vary``: its attribute ``varies``."""
    if source is not None and not callable(source):
        raise ConfigurationError(f"certificate must be a function of the request, not {source!r}")
    fields: tuple[str, ...] = getattr(source, "varies", ())
    return fields
