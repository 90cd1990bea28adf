"""The metadata that an authorization server publishes (RFC 8414, OpenID Connect Discovery 1.0).

There are two places where it may be, and servers have either. The second is asked only if the first one *responds*
without usable metadata: a server that can't be reached is not asked twice. Metadata of another issuer is never used,
because its URLs would let that issuer vouch for this one's tokens.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..errors.text import shown
from ..http_client.client import FetchError, Get, read_url
from ..wire.jws import JOSEError, read_json_object

MAX_SHOWN_ISSUER: Final = 120


def metadata_urls(issuer: str) -> tuple[str, str]:
    """Return where the metadata may be: by RFC 8414 §3.1, then by OpenID Connect Discovery §4."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.removesuffix("/")
    return (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
    )


def check_issuer(issuer: str, *, allow_http_loopback: bool = False) -> None:
    """Raise `ConfigurationError` or `TypeError` for a value that is not an issuer (RFC 8414 §2)."""
    read_url(issuer, allow_http_loopback=allow_http_loopback)
    if "?" in issuer:
        raise ConfigurationError(f"issuer {issuer!a} must have no query (RFC 8414 §2)")


def discover(issuer: str, get: Get) -> Mapping[str, Any]:
    """Return the metadata of ``issuer``, from the first place that has it.

    Its ``issuer`` must be the same, compared as text (RFC 8414 §3.3, §4). Raises `FetchError`.
    """
    failures: list[str] = []
    for url in metadata_urls(issuer):
        try:
            return _read(issuer, url, get(url))
        except FetchError as error:
            if error.status is None:  # the server can't be reached: the other place is on the same server
                raise
            # The log cuts long texts: metadata that was read tells more than a 404 of the other place.
            failures.insert(0 if error.status == 200 else len(failures), str(error))
    raise FetchError("; ".join(failures), status=0)


def member_url(
    metadata: Mapping[str, Any], name: str, *, allow_http_loopback: bool = False, any_url: bool = False
) -> str:
    """Return the URL in a member of the metadata. Raises `FetchError` if there is none, or none that is fetched.

    ``any_url`` is for a ``fetch`` of the app, which decides which URLs are allowed.
    """
    url = metadata.get(name)
    if not isinstance(url, str):
        raise FetchError(f"the metadata has no {name}", status=200)
    try:
        if not any_url:
            read_url(url, allow_http_loopback=allow_http_loopback)
    except ConfigurationError:
        raise FetchError(f"{name} in the metadata is not an https:// URL that can be fetched", status=200) from None
    return url


def with_mtls_aliases(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metadata with the URLs for clients that use mutual TLS in place of the others (RFC 8705 §5)."""
    aliases = metadata.get("mtls_endpoint_aliases")
    if not isinstance(aliases, Mapping):
        return metadata
    return {**metadata, **{name: url for name, url in aliases.items() if isinstance(url, str)}}


def _read(issuer: str, url: str, octets: bytes) -> Mapping[str, Any]:
    try:
        metadata: Mapping[str, Any] = read_json_object(octets)
    except JOSEError:
        raise FetchError(f"{url}: no JSON object", status=200) from None
    if metadata.get("issuer") != issuer:
        # The other text is shown, because the two often differ by a slash or a host name only.
        found = shown(metadata.get("issuer"), MAX_SHOWN_ISSUER)
        raise FetchError(
            f"{url}: the issuer in it is {found}, expected {issuer!a} to the letter (RFC 8414 section 3.3): "
            "issuer= must be the exact text",
            status=200,
        )
    return metadata
