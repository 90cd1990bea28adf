"""Protected-resource metadata (RFC 9728): what a resource says of itself, and where it says so. No Flask in here."""

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

Text = str | Mapping[str, str]
"""One text, or one per language tag (BCP 47) with the one for everybody under ``""``."""
Listed = AbstractSet[str] | list[str] | tuple[str, ...]
"""Not ``Collection[str]``, which a bare string is as well."""


class Members(TypedDict, total=False):
    """The optional keywords of `Auth.protected_resource` that go into the document as they are."""

    documentation: Text | None
    policy: Text | None
    terms: Text | None
    jwks_uri: str | None
    signing_algorithms: Listed
    authorization_details_types: Listed
    signed_metadata: str | None
    extra: Mapping[str, Any] | None


class Identifier(NamedTuple):
    """A resource identifier in its parts, each as it was written: nothing is normalised (RFC 9728 §3.3)."""

    origin: str
    path: str
    query: str | None

    @property
    def metadata_url(self) -> str:
        """The URL of the document: a slash right after the host goes (RFC 9728 §3.1)."""
        return self.origin + WELL_KNOWN + ("" if self.path == "/" else self.path) + self._asked

    @property
    def metadata_path(self) -> str:
        """The path of `metadata_url` as WSGI gives it: decoded, one character per octet."""
        return WELL_KNOWN + ("" if self.path == "/" else _decoded(self.path))

    @property
    def place(self) -> tuple[str, str, str | None]:
        """Equal for two identifiers whose documents a server could not tell apart."""
        return self.browser_origin, self.metadata_path, self.query

    @property
    def base(self) -> str:
        """The path below which the resource's views lie; ``""`` for all of a host."""
        return unquote_to_bytes(self.path).decode(errors="replace").rstrip("/")

    @property
    def host(self) -> str:
        """The host's name in lower case, without port."""
        return urlsplit(self.origin).hostname or ""

    @property
    def browser_origin(self) -> str:
        """The origin as a browser sends it (RFC 6454 §6.2): lower case, no default port."""
        scheme, _, authority = self.origin.lower().partition("://")
        return f"{scheme}://{authority.removesuffix({'https': ':443', 'http': ':80'}[scheme])}"

    @property
    def authority(self) -> str:
        """Host and port as `authority_of` tells them."""
        return self.browser_origin.partition("://")[2]

    @property
    def _asked(self) -> str:
        return "" if self.query is None else f"?{self.query}"


class ProtectedResource:
    """One resource as it was declared. Read-only."""

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
        views: tuple[Any, ...],
        origins: frozenset[str] | None,
        aliases: tuple["ProtectedResource", ...] = (),
    ) -> None:
        self.resource = resource
        self.identifier = identifier(resource)
        self.metadata_url = self.identifier.metadata_url
        self.members = members
        self.scopes = scopes
        self.views = views
        self.urls = (self, *aliases)  # under each URL there is a document of its own, with that as its resource
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
        """The alias whose host the client asked for; this one for a host that nobody declared."""
        return self._by_authority.get(authority_of(environ), self)

    def document(self, scopes: Iterable[str], found: Mapping[str, Any]) -> bytes:
        """The JSON document; ``scopes`` and ``found`` are what the views demand and the schemes say."""
        supported = sorted({*self.scopes, *scopes})
        # An empty array is no value, but for the ways to send a token: there it means none (RFC 9728 §2, §3.2).
        members = {
            "resource": self.resource,
            **self.members,
            **({"scopes_supported": supported} if supported else {}),
            **{name: value for name, value in found.items() if value or name == "bearer_methods_supported"},
        }
        return json.dumps(members, ensure_ascii=False, indent=1).encode()


def authority_of(environ: Mapping[str, Any]) -> str:
    """The host and port that a client asked for, in lower case and without the default port."""
    host = str(environ.get("HTTP_HOST", "")).lower()
    return host.removesuffix(":443" if environ.get("wsgi.url_scheme") == "https" else ":80")


def identifier(resource: str) -> Identifier:
    """The parts of a resource identifier (RFC 9728 §1.2, RFC 8707 §2).

    Raises `TypeError` for what is no string, `ConfigurationError` for what is no https URL (http is good for a
    loopback host: demos and tests), has a fragment, a user, or dots that clients would resolve.
    """
    found = _URL.fullmatch(_checked_url("resource", resource))
    assert found is not None
    origin, path, query = found.groups()
    if query == "":
        raise ConfigurationError(f"resource {resource!r} is the same to a server as without its last '?': remove that")
    if any(segment.lower().replace("%2e", ".") in (".", "..") for segment in path.split("/")):
        raise ConfigurationError(
            f"resource {resource!r} has a segment of dots, which clients resolve and then miss: write it out"
        )
    return Identifier(origin, path, query)


def members_of(
    authorization_servers: Listed, name: Text | None, given: Mapping[str, Any], resource: str
) -> dict[str, Any]:
    """The members that the developer decides on, those without a value left out (RFC 9728 §2, §3.2).

    Raises `TypeError` for an unknown keyword or a wrong type, `ConfigurationError` for what RFC 9728 forbids.
    """
    for keyword in given:
        if keyword not in Members.__annotations__:
            raise TypeError(f"protected_resource() has no keyword {keyword}: it takes {', '.join(_KEYWORDS)}")
    members = {
        "authorization_servers": [_issuer(one) for one in listed("authorization_servers", authorization_servers)],
        "jwks_uri": _url("jwks_uri", given.get("jwks_uri")),
        "resource_signing_alg_values_supported": _algorithms(given.get("signing_algorithms", ())),
        **_texts("name", "resource_name", name, url=False),
        **_texts("documentation", "resource_documentation", given.get("documentation")),
        **_texts("policy", "resource_policy_uri", given.get("policy")),
        **_texts("terms", "resource_tos_uri", given.get("terms")),
        "authorization_details_types_supported": list(
            listed("authorization_details_types", given.get("authorization_details_types", ()))
        ),
        "signed_metadata": _signed(given.get("signed_metadata"), resource),
        **_extra(given.get("extra")),
    }
    return {member: value for member, value in members.items() if value not in (None, [])}


def supported_scopes(scopes: Listed | None) -> tuple[str, ...]:
    """The scopes that the developer names besides those that the views demand; checked."""
    found = () if scopes is None else listed("scopes", scopes)
    for scope in found:
        try:
            check_scope_token(scope)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
    refuse_offline_access(found)
    return found


def refuse_offline_access(scopes: Collection[str]) -> None:
    """A refresh token is between client and authorization server, no matter of a resource (MCP authorization)."""
    if "offline_access" in scopes:
        raise ConfigurationError(
            "a protected resource must not ask for the scope 'offline_access': clients that want a refresh token ask "
            "their authorization server for it"
        )


# --- members


_KEYWORDS: Final = ("authorization_servers", "scopes", "name", "views", "origins", "aliases", *Members.__annotations__)
_OURS: Final = frozenset(
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


def _checked_url(name: str, value: object) -> str:
    """``value`` if it is an https URL, or one of http on a loopback host, without user and fragment."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {value!r}")
    if "#" in value:
        raise ConfigurationError(f"{name} {value!r} has a fragment, which never reaches a server: remove it")
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port  # raises for one that is none
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or _CHARACTERS.fullmatch(value) is None or "@" in parts.netloc:
        raise ConfigurationError(f"{name} {value!r} is not a URL: write https://host/path, in ASCII, without a user")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return value
    raise ConfigurationError(f"{name} {value!r} must be https (http only on a loopback host, for a demo)")


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or re.fullmatch(r"127(?:\.\d{1,3}){3}", host) is not None


def _issuer(value: object) -> str:
    checked = _checked_url("authorization server", value)
    if "?" in checked:
        raise ConfigurationError(f"authorization server {value!r} must be an issuer, without a query (RFC 8414 §2)")
    return checked


def _url(name: str, value: object) -> str | None:
    return None if value is None else _checked_url(name, value)


def listed(name: str, values: object) -> tuple[str, ...]:
    """The texts of a collection, each once; `TypeError` for a bare string and for what is no text."""
    if isinstance(values, str) or not isinstance(values, Collection) or not all(isinstance(v, str) for v in values):
        raise TypeError(f"{name} must be a collection of str, not {values!r}: write [{values!r}]")
    return tuple(dict.fromkeys(sorted(values) if isinstance(values, (set, frozenset)) else values))


def _algorithms(values: object) -> list[str]:
    names = listed("signing_algorithms", values)
    if "none" in names:
        raise ConfigurationError("signing_algorithms must not hold 'none' (RFC 9728 §2)")
    return list(names)


def _texts(keyword: str, member: str, given: Text | None, *, url: bool = True) -> dict[str, str]:
    """A member for people, in several languages as ``member#tag`` (RFC 9728 §2.1)."""
    if given is None:
        return {}
    texts = {"": given} if isinstance(given, str) else given
    if not isinstance(texts, Mapping) or not all(isinstance(t, str) and t for pair in texts.items() for t in pair[1:]):
        raise TypeError(f"{keyword} must be a non-empty str or a mapping of language tags to such, not {given!r}")
    if "" not in texts:
        raise ConfigurationError(f'{keyword} has languages only: give the one for everybody under "" (RFC 9728 §2.1)')
    for tag in texts:
        if tag and _LANGUAGE.fullmatch(tag) is None:
            raise ConfigurationError(f"{keyword} has the language {tag!r}: write a tag such as 'it' or 'pt-BR'")
    return {
        f"{member}#{tag}" if tag else member: _checked_url(keyword, text) if url else text
        for tag, text in texts.items()
    }


def _extra(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Other members, registered or private: JSON values with a name that no keyword makes."""
    members = dict(given or {})
    for name, value in members.items():
        if not isinstance(name, str) or name.partition("#")[0] in _OURS:
            raise ConfigurationError(f"extra has {name!r}, which a keyword of protected_resource() or the app decides")
        if value in (None, [], ""):
            raise ConfigurationError(f"extra has {name!r} without a value: leave it out (RFC 9728 §3.2)")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"extra has {name!r}, which is no JSON: {error}") from None
    return members


def _signed(token: str | None, resource: str) -> str | None:
    """A JWT that repeats members under a signature (RFC 9728 §2.2). Whoever made it vouches for it: it isn't verified.

    What can be read without a key is checked, for its claims go before the plain members.
    """
    if token is None:
        return None
    if not isinstance(token, str):
        raise TypeError(f"signed_metadata must be a str, not {type(token).__name__}")
    try:
        header, claims = (json.loads(decode_base64url(part)) for part in token.split(".")[:2])
        problem = _problem_of(header, claims, resource, token)
    except ValueError:
        problem = "is not a JWT in three parts"
    if problem:
        raise ConfigurationError(f"signed_metadata {problem} (RFC 9728 §2.2)")
    return token


def _problem_of(header: Any, claims: Any, resource: str, token: str) -> str | None:
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


def _decoded(path: str) -> str:
    return unquote_to_bytes(path).decode("latin-1")
