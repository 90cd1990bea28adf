"""What `Auth` tells clients of a resource, so that they find out by themselves how to get a token (RFC 9728)."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from flask import Blueprint, Flask

from ..authentication.authenticate import log
from ..errors import ConfigurationError
from ..runtime.app_state import AppState
from ..schemes.origins import validated_origins
from .document import Listed, Members, ProtectedResource, Text, listed, members_of, supported_scopes
from .endpoint import publish

if TYPE_CHECKING:
    from typing_extensions import Unpack

Views = Flask | Blueprint | Collection[Flask | Blueprint]


class Resources:
    """What `Auth` does for clients that look for an authorization server, AI agents (MCP) among them."""

    resources: tuple[ProtectedResource, ...]
    states: "WeakSet[AppState]"

    def protected_resource(
        self,
        resource: str,
        *,
        authorization_servers: Listed = (),
        scopes: Listed | None = None,
        name: Text | None = None,
        views: Views | None = None,
        origins: Listed | None = None,
        aliases: Listed = (),
        **members: "Unpack[Members]",
    ) -> str:
        """Publishes the metadata of a resource (RFC 9728), and points to it in the challenges of its views.

        ``resource`` is its identifier, the URL that clients know, kept byte for byte: ``https://api.example.com/mcp``.
        ``authorization_servers`` are issuers. To it belong all views whose URL lies below its path (where several
        resources do, the longest), or those of the app or blueprints in ``views``. On their 401 and 403 each Bearer
        and DPoP challenge has ``resource_metadata``, and ``scope`` with all that the view demands.

        The document names the scopes that the views demand, and ``scopes``; for people a ``name``, ``documentation``,
        ``policy`` and ``terms`` (URLs), each a ``str`` or a mapping of language tags. The rest of RFC 9728 §2:
        ``jwks_uri``, ``signing_algorithms``, ``authorization_details_types``, ``signed_metadata``, ``extra``. What it
        says of DPoP, of certificates and of how to send a token follows from the schemes. It is public, whatever hooks
        the app has.

        With ``origins``, guarded views answer 403, before anything else, to scripts of sites that are not among them
        and not the resource's own (MCP asks for that).

        ``aliases`` are further URLs of the same resource, each with a host of its own: a second host name, or localhost
        beside 127.0.0.1. Each has its own document, and the host of a request chooses which one its challenges point
        to (for a host that isn't declared: that of ``resource``).

        Call it before the first request, once per resource. Returns the URL of the document. Raises
        `ConfigurationError` or `TypeError` for what cannot work.
        """

        def declare(url: str, aliases: tuple[ProtectedResource, ...] = ()) -> ProtectedResource:
            return ProtectedResource(
                url,
                members_of(authorization_servers, name, members, url),
                supported_scopes(scopes),
                _views(views),
                None if origins is None else validated_origins(origins, "origins"),
                aliases,
            )

        declared = declare(resource, tuple(declare(url) for url in listed("aliases", aliases)))
        self._refuse_again(declared)
        for one in declared.urls:
            if one.identifier.query is not None:
                log.warning(
                    "the resource %s has a query, which many clients lose: prefer a path (RFC 9728 §1.2)", one.resource
                )
        for state in self.states:
            if state.served:
                raise ConfigurationError(
                    f"the app {state.app.name!r} has served a request: call protected_resource() before"
                )
        self.resources = (*self.resources, declared)
        for state in self.states:
            state.ready = False
            publish(state)
        return declared.metadata_url

    def _refuse_again(self, declared: ProtectedResource) -> None:
        for known in self.resources:
            taken = {one.identifier.place: one for one in known.urls}
            for one in declared.urls:
                if one.identifier.place in taken:
                    raise ConfigurationError(
                        f"the resource {taken[one.identifier.place].resource!r} is declared already, and "
                        f"{one.resource!r} would have its document at the same place: declare one of them"
                    )
            shared = [view for view in declared.views if any(view is other for other in known.views)]
            if shared:
                raise ConfigurationError(f"{shared[0]!r} belongs to {known.resource!r} already: views= names it once")


def _views(views: Views | None) -> tuple[Any, ...]:
    if views is None:
        return ()
    targets = (views,) if isinstance(views, (Flask, Blueprint)) else tuple(views)
    for target in targets:
        if not isinstance(target, (Flask, Blueprint)):
            raise TypeError(f"views must be an app, a blueprint or a collection of them, not {target!r}")
    if not targets:
        raise ConfigurationError("views is empty, so nothing would belong to the resource: leave it out or name some")
    return targets
