"""Which views belong to a protected resource (RFC 9728), what its document says of them, and where it is served."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from ..errors import ConfigurationError
from ..policy.plan import AnyScheme
from .document import WELL_KNOWN, ProtectedResource, authority_of, refuse_offline_access

if TYPE_CHECKING:
    from ..runtime.app_state import AppState

MAX_AGE: Final = 3600
"""How long clients may keep a document, in seconds (RFC 9728 §7.10)."""
Documents = Mapping[tuple[str, str | None], Mapping[str, bytes]]
"""By path and query as WSGI gives them, then by authority, for two hosts may have a resource at one path."""


def belonging(app: Flask, resources: Iterable[ProtectedResource]) -> dict[str, ProtectedResource]:
    """The resource of each endpoint that has one: by ``views=``, else that with the longest path above its rules.

    Raises `ConfigurationError` where the rules of one endpoint lie in different resources.
    """
    resources = tuple(resources)
    if not resources:
        return {}
    found: dict[str, set[ProtectedResource | None]] = {}
    for rule in app.url_map.iter_rules():
        named = _named(app, rule.endpoint, resources)
        found.setdefault(rule.endpoint, set()).update((named,) if named else _by_path(app, rule, resources))
    for endpoint, candidates in found.items():
        if len(candidates) > 1:
            names = " and ".join(sorted(one.resource if one else "no resource" for one in candidates))
            raise ConfigurationError(
                f"endpoint {endpoint!r} belongs to {names}, so its challenges cannot name one: give each URL an "
                "endpoint of its own, or name the blueprint with protected_resource(views=...); where they are URLs of "
                "one resource, declare it once with protected_resource(..., aliases=[...])"
            )
    return {endpoint: one for endpoint, (one,) in found.items() if one is not None}


def written(states: Iterable["AppState"], resources: tuple[ProtectedResource, ...]) -> dict[ProtectedResource, bytes]:
    """All documents of an `Auth`. Raises `ConfigurationError` for a resource without a view in any of the apps."""
    if not resources:
        return {}
    views = {resource: _Views() for resource in resources}
    for state in states:
        for endpoint, resource in belonging(state.app, resources).items():
            views[resource].add(state, endpoint)
    return {one: document for resource in resources for one, document in _write(resource, views[resource]).items()}


def by_path(documents: Mapping[ProtectedResource, bytes]) -> Documents:
    """Where each document is found."""
    served: dict[tuple[str, str | None], dict[str, bytes]] = {}
    # By its own spelling first: "/r" and "/r/" may be two resources; where there is one, both lead to it.
    for respell in (str, _other_slash):
        for resource, document in documents.items():
            identifier = resource.identifier
            found = served.setdefault((respell(identifier.metadata_path), identifier.query), {})
            found.setdefault(identifier.authority, document)
    for found in served.values():
        for one in documents:
            known = {url.identifier.authority for url in one.urls}
            # A proxy may have lost the host: where all are of one resource, that is meant.
            if len(known) > 1 and one.identifier.authority in found and found.keys() <= known:
                found[""] = found[one.identifier.authority]
    return served


def _other_slash(path: str) -> str:
    return path[:-1] if path.endswith("/") else path + "/"


def publish(state: "AppState") -> None:
    """Lets the app answer for the documents, before any hook of it: nobody has to log in to learn how (§3).

    Done outside of Flask's request handling, so that no other request pays for it. `ProxyFix` stays the outermost
    layer, because it restores the host that the client asked for, and that host chooses the document.
    """
    if state.publishes:
        return
    state.publishes = True
    outer: Any = state.app.wsgi_app
    if not isinstance(outer, ProxyFix):
        state.app.wsgi_app = _serving(state, outer)  # type: ignore[method-assign]  # Flask's own idiom
        return
    while isinstance(outer.app, ProxyFix):
        outer = outer.app
    outer.app = _serving(state, outer.app)


# --- views


class _Views:
    """What the views of one resource demand and take."""

    def __init__(self) -> None:
        self.count = 0
        self.scopes: set[str] = set()
        self.schemes: dict[AnyScheme, None] = {}
        self.offered: dict[AnyScheme, None] = {}  # where no view is guarded by us: all of the Auth

    def add(self, state: "AppState", endpoint: str) -> None:
        self.count += 1
        self.offered.update(dict.fromkeys(state.auth.schemes))
        for demanded in state.requirements(endpoint):
            self.scopes.update(name for group in demanded.scopes for name in group)
            self.schemes.update(dict.fromkeys(demanded.via or state.auth.schemes))

    def oauth_schemes(self) -> list[AnyScheme]:
        return [scheme for scheme in self.schemes or self.offered if scheme.oauth]


def _write(resource: ProtectedResource, views: _Views) -> dict[ProtectedResource, bytes]:
    """The documents of a resource, one for each of its URLs."""
    if not views.count:
        raise ConfigurationError(
            f"no view belongs to the resource {resource.resource!r}: views={resource.views!r} has none"
            if resource.views
            else f"no view lies below {resource.identifier.path or '/'!r}, so none belongs to the resource "
            f"{resource.resource!r}: where the app is mounted below a prefix, set APPLICATION_ROOT to it, or name the "
            "app or blueprint with protected_resource(views=...)"
        )
    schemes = views.oauth_schemes()
    refuse_offline_access(views.scopes)
    found = _together([scheme.resource_members() for scheme in schemes])
    return {one: one.document(views.scopes, found) for one in resource.urls}


def _together(told: Sequence[Mapping[str, Sequence[str] | bool]]) -> dict[str, Any]:
    """What the schemes in force say of themselves, as one: see `Scheme.resource_members`."""
    members: dict[str, Any] = {"bearer_methods_supported": []}
    for name, values in (pair for one in told for pair in one.items()):
        if isinstance(values, bool):
            whole = all if name.endswith("_required") else any
            members[name] = whole(one.get(name) is True for one in told)
        else:
            members[name] = list(dict.fromkeys((*members.get(name, ()), *values)))
    return members


def _named(app: Flask, endpoint: str, resources: Iterable[ProtectedResource]) -> ProtectedResource | None:
    """The resource that names the endpoint's blueprint (the inner goes first) or the app in ``views=``."""
    names = endpoint.split(".")[:-1]
    owners = (*(app.blueprints.get(".".join(names[:length])) for length in range(len(names), 0, -1)), app)
    return next((one for owner in owners for one in resources if any(owner is view for view in one.views)), None)


def _by_path(app: Flask, rule: Any, resources: Iterable[ProtectedResource]) -> Iterator[ProtectedResource | None]:
    root = str(app.config["APPLICATION_ROOT"] or "").rstrip("/")
    path = root + rule.rule
    host = _host(app, rule)
    above = {
        resource: max(lengths)
        for resource in resources
        if not resource.views and (lengths := [*_lengths_above(resource, path, host)])
    }
    if not above:
        _refuse_reaching(app, rule, path, resources)
        yield None
    longest = max(above.values(), default=0)
    yield from (resource for resource, length in above.items() if length == longest)


def _lengths_above(resource: ProtectedResource, path: str, host: str | None) -> Iterator[int]:
    """How long those paths of a resource are that lie above ``path``."""
    for found in (one.identifier for one in resource.urls):
        if host in (None, found.host) and (path == found.base or path.startswith(found.base + "/")):
            yield len(found.base)


def _refuse_reaching(app: Flask, rule: Any, path: str, resources: Iterable[ProtectedResource]) -> None:
    """Refuses a guarded rule with variables that matches below a resource too: its challenges could not tell which."""
    if "<" not in path or not app.extensions["unauthorized"].requirements(rule.endpoint):
        return
    for resource in resources:
        if not resource.views and any(
            _reaches(path.strip("/").split("/"), one.identifier.base) for one in resource.urls
        ):
            raise ConfigurationError(
                f"the rule {path!r} of endpoint {rule.endpoint!r} matches below {resource.resource!r} as well as "
                "elsewhere: write its first part out, or name what belongs with protected_resource(views=...)"
            )


def _reaches(segments: Sequence[str], base: str) -> bool:
    """Whether a rule of these segments may match a path below ``base``."""
    above = base.strip("/").split("/")
    for segment, wanted in zip(segments, above, strict=False):
        literal, variable, converter = segment.partition("<")
        if variable and not (wanted.startswith(literal) and len(wanted) > len(literal)):
            return False
        if converter.startswith("path:"):
            return True
        if converter.startswith(_CLOSED) or (converter.startswith("any(") and wanted not in converter):
            return False
        if not variable and segment != wanted:
            return False
    return len(segments) > len(above)


_CLOSED: Final = ("int", "float", "uuid")  # converters that no word of a path matches


def _host(app: Flask, rule: Any) -> str | None:
    """The host's name that a rule is for, ``None`` where it is for any."""
    host = rule.host or ""
    if not app.url_map.host_matching:
        server = app.config["SERVER_NAME"]
        host = ".".join(filter(None, (rule.subdomain, server))) if server and app.subdomain_matching else ""
    return None if not host or "<" in host else host.lower().partition(":")[0]


# --- serving


def _serving(state: "AppState", inner: Callable[..., Any]) -> Callable[..., Any]:
    def wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        path = environ.get("PATH_INFO", "")
        mounted = environ.get("SCRIPT_NAME", "").startswith(WELL_KNOWN)
        if not mounted and not path.startswith(WELL_KNOWN):
            return inner(environ, start_response)
        if mounted:
            path = environ["SCRIPT_NAME"] + path
        try:
            if not state.ready:
                with state.app.app_context():
                    state.prepare()
        except ConfigurationError:
            return inner(environ, start_response)  # which tells it in Flask's own way
        document = _find(state.documents, path, environ)
        if document is not None:
            return _answer(document, environ["REQUEST_METHOD"], start_response)
        if mounted:  # the app's views don't lie here
            return _respond(start_response, "404 Not Found", b"")
        return inner(environ, start_response)

    return wsgi_app


def _find(served: Documents, path: str, environ: Mapping[str, Any]) -> bytes | None:
    """The document at a URL. ``Host`` chooses among declared resources at most, and only where two share a path."""
    query = environ.get("QUERY_STRING") or None
    found = served.get((path, query)) or served.get((path, None)) or {}
    if len(found) == 1:
        return next(iter(found.values()))
    return found.get(authority_of(environ)) or found.get("")


_METHODS: Final = "GET, HEAD, OPTIONS"


def _answer(document: bytes, method: str, start_response: Callable[..., Any]) -> list[bytes]:
    if method in ("GET", "HEAD"):
        kind = ("Content-Type", "application/json"), ("Cache-Control", f"public, max-age={MAX_AGE}")
        return _respond(start_response, "200 OK", document, *kind, bodiless=method == "HEAD")
    if method == "OPTIONS":  # MCP clients in browsers send MCP-Protocol-Version along, so they ask before
        allowed = (
            ("Access-Control-Allow-Methods", _METHODS),
            ("Access-Control-Allow-Headers", "*"),
            ("Access-Control-Max-Age", str(MAX_AGE)),
        )
        return _respond(start_response, "200 OK", b"", ("Allow", _METHODS), *allowed)
    return _respond(start_response, "405 Method Not Allowed", b"", ("Allow", _METHODS))


def _respond(
    start_response: Callable[..., Any], status: str, body: bytes, *headers: tuple[str, str], bodiless: bool = False
) -> list[bytes]:
    every = ("Access-Control-Allow-Origin", "*"), ("Content-Length", str(len(body)))
    start_response(status, [*headers, *every])
    return [] if bodiless else [body]
