"""Serve the metadata documents of protected resources at their well-known URLs (RFC 9728 §3).

The documents are served by a WSGI layer around the app's ``wsgi_app``, not by a route, for three reasons:

- They are public (RFC 9728 §3.1), whatever hooks the app has. A ``before_request`` function that demands a login would
  stop a route.
- An app below a prefix is mounted at the well-known path a second time, because that path lies outside the prefix.
  There the layer must respond alone: no view of the app lies there.
- Other requests pay for one comparison of strings only.

A request takes these steps:

1. If neither the mount path nor the path begins with the well-known path, the app responds.
2. The app's state is prepared, because documents depend on all views. If the configuration has a mistake, the app
   responds: its first request reports the mistake as every other one.
3. The document is looked up by path and query, each as WSGI gives them (`find_document`). ``Host`` chooses only among
   declared resources that share a path. It never becomes part of a document.
4. GET, HEAD and OPTIONS get responses that scripts of any site may read. Other methods get 405.

Invariants: `ProxyFix` stays outside of this layer, because it restores the host that the client asked for. The layer is
added once per app.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from flask import Flask

from ..errors import ConfigurationError
from ..wsgi import add_layer
from .document import WELL_KNOWN, ProtectedResource, requested_authority

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_AGE: Final = 3600
"""How long clients may keep a document, in seconds (RFC 9728 §7.10)."""
DocumentIndex = Mapping[tuple[str, str | None], Mapping[str, bytes]]
"""Documents by path and query as WSGI gives them, then by authority; under ``""`` one for unknown authorities."""
_METHODS: Final = "GET, HEAD, OPTIONS"


class AppWithMetadata(Protocol):
    """The part of an app's state that serving its documents needs."""

    @property
    def app(self) -> Flask:
        """The app."""
        ...

    documents: DocumentIndex
    """The documents, once the state is ready."""
    ready: bool
    """Whether the configuration was checked and the documents were made."""
    got_first_request: bool
    """Whether the app has served a request, so that nothing can be declared any more."""
    serves_metadata: bool
    """Whether `serve_metadata` was called for the app."""

    def prepare(self) -> None:
        """Make the state ready. Raises `ConfigurationError` for a mistake."""


def index_documents(documents: Mapping[ProtectedResource, bytes]) -> DocumentIndex:
    """Return the documents by the place where each is found.

    Each is found with and without a slash at the end, unless both are identifiers of resources.
    """
    index: dict[tuple[str, str | None], dict[str, bytes]] = {}
    # Each document is entered under its own spelling first, so that a second spelling never hides another document.
    for respell in (str, _with_other_slash):
        for resource, document in documents.items():
            identifier = resource.identifier
            found = index.setdefault((respell(identifier.metadata_path), identifier.query), {})
            found.setdefault(identifier.authority, document)
    # A proxy may have replaced the host. If all documents at a place are of one resource, that resource is meant.
    for found in index.values():
        for resource in documents:
            authorities = {url.identifier.authority for url in resource.urls}
            authority = resource.identifier.authority
            if len(authorities) > 1 and authority in found and found.keys() <= authorities:
                found[""] = found[authority]
    return index


def find_document(index: DocumentIndex, path: str, environ: Mapping[str, Any]) -> bytes | None:
    """Return the document at a path of this request; ``None`` if there is none."""
    query = environ.get("QUERY_STRING") or None
    found = index.get((path, query)) or index.get((path, None)) or {}
    if len(found) == 1:
        return next(iter(found.values()))
    return found.get(requested_authority(environ)) or found.get("")


def serve_metadata(state: AppWithMetadata) -> None:
    """Let an app respond to requests for its documents. A second call for the same app does nothing."""
    if state.serves_metadata:
        return
    state.serves_metadata = True
    add_layer(state.app, lambda app: _with_documents(state, app))


def _with_documents(state: AppWithMetadata, app: "WSGIApplication") -> "WSGIApplication":
    def serve(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        mounted = environ.get("SCRIPT_NAME", "").startswith(WELL_KNOWN)
        if not mounted and not path.startswith(WELL_KNOWN):
            return app(environ, start_response)
        if mounted:
            path = environ["SCRIPT_NAME"] + path
        try:
            if not state.ready:
                with state.app.app_context():
                    state.prepare()
        except ConfigurationError:
            return app(environ, start_response)
        document = find_document(state.documents, path, environ)
        if document is not None:
            return _respond_with(document, environ["REQUEST_METHOD"], start_response)
        if mounted:
            return _respond(start_response, "404 Not Found", b"")
        return app(environ, start_response)

    return serve


def _with_other_slash(path: str) -> str:
    return path[:-1] if path.endswith("/") else path + "/"


def _respond_with(document: bytes, method: str, start_response: "StartResponse") -> list[bytes]:
    if method in ("GET", "HEAD"):
        headers = ("Content-Type", "application/json"), ("Cache-Control", f"public, max-age={MAX_AGE}")
        body = _respond(start_response, "200 OK", document, *headers)
        return [] if method == "HEAD" else body
    if method == "OPTIONS":  # MCP clients in browsers send MCP-Protocol-Version, which needs a preflight.
        return _respond(
            start_response,
            "200 OK",
            b"",
            ("Allow", _METHODS),
            ("Access-Control-Allow-Methods", _METHODS),
            ("Access-Control-Allow-Headers", "*"),
            ("Access-Control-Max-Age", str(MAX_AGE)),
        )
    return _respond(start_response, "405 Method Not Allowed", b"", ("Allow", _METHODS))


def _respond(start_response: "StartResponse", status: str, body: bytes, *headers: tuple[str, str]) -> list[bytes]:
    start_response(status, [*headers, ("Access-Control-Allow-Origin", "*"), ("Content-Length", str(len(body)))])
    return [body]
