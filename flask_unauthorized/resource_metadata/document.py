"""The metadata document of a protected resource (RFC 9728): its identifier, its members, its bytes.

This module is pure: it knows no app and no request. It turns what a developer declares into a `ProtectedResource`, and
refuses everything that RFC 9728 forbids at that moment, so that nothing can fail when a client asks.

The order of steps: `parse_identifier` splits the URL, `build_members` checks the members that the developer decides,
`validated_scopes` the additional scopes. Later, when all views are known, `ProtectedResource.render_document` adds what
follows from the views and their schemes.

Invariants:

- The identifier is published byte for byte, because clients compare it with the URL that they used (RFC 9728 §3.3).
  Nothing is normalized. Where a comparison needs a normal form, a property of `ResourceIdentifier` makes it:
  ``browser_origin`` for the field ``Origin``, ``location`` for the place where a server finds the document.
- A member without a value is left out, and so is an empty array (RFC 9728 §3.2). The exception is
  ``bearer_methods_supported``, where an empty array means that no way to send a bearer token works (RFC 9728 §2).
- A member that a keyword or the app decides can't be set by ``extra``, so a document never contradicts the app.
- A resource under several URLs has one document per URL, each with that URL as its ``resource``.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple, TypedDict
from urllib.parse import unquote_to_bytes, urlsplit

from ..errors import ConfigurationError
from ..wire.jws import decode_base64url
from ..wire.rules import check_scope_token

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
"""What stands between host and path of the identifier in the document's URL (RFC 9728 §3)."""

LocalizedText = str | Mapping[str, str]
"""One text, or one per language tag (BCP 47) with the default text under ``""``."""
Strings = AbstractSet[str] | list[str] | tuple[str, ...]
"""Several strings. ``Collection[str]`` would accept a bare string as well."""


class Members(TypedDict, total=False):
    """The optional keywords of `Auth.protected_resource` that become members of the document."""

    documentation: LocalizedText | None
    policy: LocalizedText | None
    terms: LocalizedText | None
    jwks_uri: str | None
    signing_algorithms: Strings
    authorization_details_types: Strings
    signed_metadata: str | None
    extra: Mapping[str, Any] | None


class ResourceIdentifier(NamedTuple):
    """A resource identifier in its parts, each as it was written."""

    origin: str
    path: str
    query: str | None

    @property
    def metadata_url(self) -> str:
        """The URL of the document. A slash right after the host is removed (RFC 9728 §3.1)."""
        query = "" if self.query is None else f"?{self.query}"
        return self.origin + WELL_KNOWN + ("" if self.path == "/" else self.path) + query

    @property
    def metadata_path(self) -> str:
        """The path of `metadata_url` as WSGI gives it: decoded, one character per octet."""
        return WELL_KNOWN + ("" if self.path == "/" else unquote_to_bytes(self.path).decode("latin-1"))

    @property
    def location(self) -> tuple[str, str, str | None]:
        """Where a server finds the document. Equal for two identifiers that can't both have one."""
        return self.browser_origin, self.metadata_path, self.query

    @property
    def base_path(self) -> str:
        """The decoded path below which the resource's views lie; ``""`` for all of a host."""
        return unquote_to_bytes(self.path).decode(errors="replace").rstrip("/")

    @property
    def host(self) -> str:
        """The name of the host in lower case, without port."""
        return urlsplit(self.origin).hostname or ""

    @property
    def browser_origin(self) -> str:
        """The origin as a browser sends it (RFC 6454 §6.2): lower case, no default port."""
        scheme, _, authority = self.origin.lower().partition("://")
        return f"{scheme}://{authority.removesuffix({'https': ':443', 'http': ':80'}[scheme])}"

    @property
    def authority(self) -> str:
        """Host and port in the form of `requested_authority`."""
        return self.browser_origin.partition("://")[2]


class ProtectedResource:
    """One resource as it was declared. Read-only.

    Attributes:
        resource: The identifier as the developer wrote it.
        identifier: The same in its parts.
        metadata_url: The URL of the document.
        members: The members that the developer decides.
        scopes: The scopes that the developer lists in addition to those of the views.
        views: The app and blueprints whose views belong to the resource; empty if the path decides.
        urls: The resource under each of its URLs, this one first.
        origins: The origins whose scripts may send requests; ``None`` if ``Origin`` isn't checked.
    """

    __slots__ = (
        "_by_authority",
        "identifier",
        "members",
        "metadata_url",
        "origins",
        "resource",
        "scopes",
        "urls",
        "views",
    )

    def __init__(
        self,
        resource: str,
        members: dict[str, Any],
        scopes: tuple[str, ...],
        views: tuple[object, ...],
        origins: frozenset[str] | None,
        aliases: tuple["ProtectedResource", ...] = (),
    ) -> None:
        self.resource = resource
        self.identifier = parse_identifier(resource)
        self.metadata_url = self.identifier.metadata_url
        self.members = members
        self.scopes = scopes
        self.views = views
        self.urls = (self, *aliases)
        self.origins = None if origins is None else origins | {one.identifier.browser_origin for one in self.urls}
        self._by_authority = {one.identifier.authority: one for one in self.urls}
        if len(self._by_authority) < len(self.urls):
            raise ConfigurationError(
                f"aliases of {resource!r} share a host with it or with each other, so that the host of a request "
                "couldn't tell which is meant: give each URL a host of its own, or declare another resource"
            )

    def __repr__(self) -> str:
        return f"<ProtectedResource {self.resource}>"

    def asked_by(self, environ: Mapping[str, Any]) -> "ProtectedResource":
        """Return the alias whose host the client asked for; this resource for a host that isn't declared."""
        return self._by_authority.get(requested_authority(environ), self)

    def render_document(self, demanded_scopes: Iterable[str], scheme_members: Mapping[str, Any]) -> bytes:
        """Return the JSON document.

        Args:
            demanded_scopes: The scopes that the views of the resource demand.
            scheme_members: The members that follow from the schemes in force.
        """
        supported = sorted({*self.scopes, *demanded_scopes})
        members = {
            "resource": self.resource,
            **self.members,
            **({"scopes_supported": supported} if supported else {}),
            **{name: value for name, value in scheme_members.items() if value or name == "bearer_methods_supported"},
        }
        return json.dumps(members, ensure_ascii=False, indent=1).encode()


def requested_authority(environ: Mapping[str, Any]) -> str:
    """Return host and port that the client asked for, in lower case and without the default port."""
    host = str(environ.get("HTTP_HOST", "")).lower()
    return host.removesuffix(":443" if environ.get("wsgi.url_scheme") == "https" else ":80")


def parse_identifier(resource: str) -> ResourceIdentifier:
    """Split a resource identifier into its parts (RFC 9728 §1.2, RFC 8707 §2).

    Raises:
        TypeError: If it is not a ``str``.
        ConfigurationError: If it isn't an https URL (http is accepted for a loopback host), or has a fragment, a user,
            an empty query, or dot segments.
    """
    found = _URL.fullmatch(_validated_url("resource", resource))
    assert found is not None
    origin, path, query = found.groups()
    if query == "":
        raise ConfigurationError(f"resource {resource!r} has an empty query, which servers ignore: remove the '?'")
    if any(segment.lower().replace("%2e", ".") in (".", "..") for segment in path.split("/")):
        raise ConfigurationError(
            f"resource {resource!r} has a dot segment, which clients resolve before they send a request: write the "
            "path without it"
        )
    return ResourceIdentifier(origin, path, query)


def build_members(
    authorization_servers: Strings, name: LocalizedText | None, given: Mapping[str, Any], resource: str
) -> dict[str, Any]:
    """Return the members that the developer decides, without those that have no value (RFC 9728 §2, §3.2).

    Raises:
        TypeError: For an unknown keyword or a wrong type.
        ConfigurationError: For a value that RFC 9728 forbids.
    """
    for keyword in given:
        if keyword not in Members.__annotations__:
            raise TypeError(f"protected_resource() has no keyword {keyword}: it takes {', '.join(_KEYWORDS)}")
    jwks_uri = given.get("jwks_uri")
    algorithms = validated_strings("signing_algorithms", given.get("signing_algorithms", ()))
    if "none" in algorithms:
        raise ConfigurationError("signing_algorithms must not hold 'none' (RFC 9728 §2)")
    details = validated_strings("authorization_details_types", given.get("authorization_details_types", ()))
    members = {
        "authorization_servers": [
            _validated_issuer(one) for one in validated_strings("authorization_servers", authorization_servers)
        ],
        "jwks_uri": None if jwks_uri is None else _validated_url("jwks_uri", jwks_uri),
        "resource_signing_alg_values_supported": list(algorithms),
        **_localized_members("name", "resource_name", name, url=False),
        **_localized_members("documentation", "resource_documentation", given.get("documentation")),
        **_localized_members("policy", "resource_policy_uri", given.get("policy")),
        **_localized_members("terms", "resource_tos_uri", given.get("terms")),
        "authorization_details_types_supported": list(details),
        "signed_metadata": _validated_signed_metadata(given.get("signed_metadata"), resource),
        **_validated_extra(given.get("extra")),
    }
    return {member: value for member, value in members.items() if value not in (None, [])}


def validated_scopes(scopes: Strings | None) -> tuple[str, ...]:
    """Return the scopes that the developer lists in addition to those that the views demand.

    Raises:
        TypeError: If they aren't a collection of strings.
        ConfigurationError: If one isn't a scope token (RFC 6749 §3.3), or is ``offline_access``.
    """
    found = () if scopes is None else validated_strings("scopes", scopes)
    for scope in found:
        try:
            check_scope_token(scope)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
    refuse_offline_access(found)
    return found


def refuse_offline_access(scopes: Collection[str]) -> None:
    """Raise if ``scopes`` names ``offline_access``.

    A refresh token is a matter between the client and its authorization server (MCP, authorization).
    """
    if "offline_access" in scopes:
        raise ConfigurationError(
            "a protected resource must not ask for the scope 'offline_access': clients that want a refresh token ask "
            "their authorization server for it"
        )


def validated_strings(name: str, values: object) -> tuple[str, ...]:
    """Return the strings of a collection, each once; those of a set in sorted order.

    Raises:
        TypeError: For a bare string, for other values that are not collections, and for items that are not strings.
    """
    if isinstance(values, str) or not isinstance(values, Collection) or not all(isinstance(v, str) for v in values):
        raise TypeError(f"{name} must be a collection of str, not {values!r}: write [{values!r}]")
    return tuple(dict.fromkeys(sorted(values) if isinstance(values, (set, frozenset)) else values))


# --- members


_KEYWORDS: Final = ("authorization_servers", "scopes", "name", "views", "origins", "aliases", *Members.__annotations__)
_RESERVED_MEMBERS: Final = frozenset(
    {
        "resource", "authorization_servers", "jwks_uri", "scopes_supported", "bearer_methods_supported",
        "resource_signing_alg_values_supported", "resource_name", "resource_documentation", "resource_policy_uri",
        "resource_tos_uri", "tls_client_certificate_bound_access_tokens", "authorization_details_types_supported",
        "dpop_signing_alg_values_supported", "dpop_bound_access_tokens_required", "signed_metadata",
    }
)  # fmt: skip
_CHARACTERS: Final = re.compile(r"(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")  # RFC 3986, no fragment
_URL: Final = re.compile(r"([A-Za-z]+://[^/?]+)([^?]*)(?:\?(.*))?")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_LOOPBACK: Final = re.compile(r"localhost|::1|127(?:\.\d{1,3}){3}")


def _validated_url(name: str, value: object) -> str:
    """Return ``value`` if it is an https URL, or one of http on a loopback host, without user and fragment."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {value!r}")
    if "#" in value:
        raise ConfigurationError(f"{name} {value!r} has a fragment, which never reaches a server: remove it")
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port  # This raises for a port that isn't a number.
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or _CHARACTERS.fullmatch(value) is None or "@" in parts.netloc:
        raise ConfigurationError(
            f"{name} {value!r} is not a URL: write https://host/path, in ASCII, without user and password"
        )
    if parts.scheme == "https" or (parts.scheme == "http" and _LOOPBACK.fullmatch(host)):
        return value
    raise ConfigurationError(f"{name} {value!r} must be https (http only on a loopback host, for a demo)")


def _validated_issuer(value: object) -> str:
    checked = _validated_url("authorization server", value)
    if "?" in checked:
        raise ConfigurationError(f"authorization server {value!r} must be an issuer, without a query (RFC 8414 §2)")
    return checked


def _localized_members(keyword: str, member: str, given: LocalizedText | None, *, url: bool = True) -> dict[str, str]:
    """Return a member for people, in several languages as ``member#tag`` (RFC 9728 §2.1)."""
    if given is None:
        return {}
    return {
        f"{member}#{tag}" if tag else member: _validated_url(keyword, text) if url else text
        for tag, text in _validated_texts(keyword, given).items()
    }


def _validated_texts(keyword: str, given: LocalizedText) -> Mapping[str, str]:
    """Return texts by language tag, the default text under ``""``."""
    texts = {"": given} if isinstance(given, str) else given
    if not isinstance(texts, Mapping) or not all(isinstance(text, str) and text for text in texts.values()):
        raise TypeError(f"{keyword} must be a non-empty str or a mapping of language tags to such, not {given!r}")
    if "" not in texts:
        raise ConfigurationError(f'{keyword} has no default text: add it under the language tag "" (RFC 9728 §2.1)')
    for tag in texts:
        if tag and _LANGUAGE.fullmatch(tag) is None:
            raise ConfigurationError(f"{keyword} has the language {tag!r}: write a tag such as 'it' or 'pt-BR'")
    return texts


def _validated_extra(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return other members, registered or private, whose names no keyword makes and whose values are JSON."""
    members = dict(given or {})
    for name, value in members.items():
        if not isinstance(name, str) or name.partition("#")[0] in _RESERVED_MEMBERS:
            raise ConfigurationError(f"extra has {name!r}, which a keyword of protected_resource() or the app decides")
        if value in (None, [], ""):
            raise ConfigurationError(f"extra has {name!r} without a value: omit it (RFC 9728 §3.2)")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"extra has {name!r}, whose value can't be written as JSON: {error}") from None
    return members


def _validated_signed_metadata(token: str | None, resource: str) -> str | None:
    """Return a JWT that repeats members under a signature (RFC 9728 §2.2).

    The signature isn't verified, because its issuer is responsible for it. Everything that can be read without a key
    is checked: clients give the claims precedence over the plain members.
    """
    if token is None:
        return None
    if not isinstance(token, str):
        raise TypeError(f"signed_metadata must be a str, not {type(token).__name__}")
    try:
        header, claims = (json.loads(decode_base64url(part)) for part in token.split(".")[:2])
        problem = _problem_in_signed_metadata(header, claims, resource, token)
    except ValueError:
        problem = "is not a JWT in three parts"
    if problem:
        raise ConfigurationError(f"signed_metadata {problem} (RFC 9728 §2.2)")
    return token


def _problem_in_signed_metadata(header: object, claims: object, resource: str, token: str) -> str | None:
    if not isinstance(header, dict) or not isinstance(claims, dict) or token.count(".") != 2:
        return "is not a JWT in three parts"
    if not token.rpartition(".")[2] or str(header.get("alg", "none")).lower() == "none":
        return "is not signed"
    if not isinstance(claims.get("iss"), str):
        return "has no iss"
    if "signed_metadata" in claims:
        return "holds signed_metadata itself"
    if claims.get("resource", resource) != resource:
        return f"is for the resource {claims['resource']!r}"
    return None
