"""The protected resources that a developer has declared (RFC 9728).

`Auth` holds one `DeclaredResources`, and `Auth.protected_resource` calls its `declare`. The state of each app reads
`declared` before the first request, when all views are known, and builds the documents then.

A declaration is checked in these steps, before anything changes:

1. `document` checks all members, and each URL: the identifier and its aliases.
2. No two URLs, of this resource or others, may have their document at the same place. No app or blueprint may belong to
   two resources.
3. No app may have served a request. Its challenges would differ from those that clients have seen.

Some apps may have been prepared already, because a client asked for a document or a test opened a request context. They
are prepared again at their next request.
"""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from flask import Blueprint, Flask

from ..errors import ConfigurationError
from ..logs import log
from ..schemes.origins import validated_origins
from .document import (
    LocalizedText,
    Members,
    ProtectedResource,
    Strings,
    build_members,
    validated_scopes,
    validated_strings,
)
from .endpoint import AppWithMetadata, serve_metadata

if TYPE_CHECKING:
    from typing_extensions import Unpack


Views = Flask | Blueprint | Collection[Flask | Blueprint]
"""What ``views=`` takes."""


class DeclaredResources:
    """The protected resources of one `Auth`.

    Attributes:
        declared: The resources in the order of their declaration.
    """

    def __init__(self) -> None:
        self.declared: tuple[ProtectedResource, ...] = ()

    def declare(
        self,
        apps: Collection[AppWithMetadata],
        resource: str,
        *,
        authorization_servers: Strings,
        scopes: Strings | None,
        name: LocalizedText | None,
        views: Views | None,
        origins: Strings | None,
        aliases: Strings,
        **members: "Unpack[Members]",
    ) -> ProtectedResource:
        """Declare a resource for ``apps`` and for those that come later; see `Auth.protected_resource`."""

        def make(url: str, aliases: tuple[ProtectedResource, ...] = ()) -> ProtectedResource:
            return ProtectedResource(
                url,
                build_members(authorization_servers, name, members, url),
                validated_scopes(scopes),
                _validated_views(views),
                None if origins is None else validated_origins(origins, "origins"),
                aliases,
            )

        made = make(resource, tuple(make(url) for url in validated_strings("aliases", aliases)))
        self._check_overlap(made)
        for one in made.urls:
            if one.identifier.query is not None:
                log.warning(
                    "the resource %s has a query, which many clients lose: prefer a path (RFC 9728 §1.2)", one.resource
                )
        for state in apps:
            if state.got_first_request:
                raise ConfigurationError(
                    f"the app {state.app.name!r} has served a request: call protected_resource() before its first one"
                )
        self.declared = (*self.declared, made)
        for state in apps:
            state.ready = False
            serve_metadata(state)
        return made

    def _check_overlap(self, made: ProtectedResource) -> None:
        """Refuse a resource whose documents or views belong to a declared one."""
        by_location = {one.identifier.location: one for known in self.declared for one in known.urls}
        for one in made.urls:
            same = by_location.get(one.identifier.location)
            if same is not None:
                raise ConfigurationError(
                    f"the resource {same.resource!r} is declared already, and {one.resource!r} would have its document "
                    "at the same place: declare one of them"
                )
        owners = {id(view): known for known in self.declared for view in known.views}
        for view in made.views:
            if id(view) in owners:
                raise ConfigurationError(
                    f"{view!r} belongs to the resource {owners[id(view)].resource!r} already: "
                    "name it in views= of one resource"
                )


def _validated_views(views: Views | None) -> tuple[Flask | Blueprint, ...]:
    if views is None:
        return ()
    targets = tuple(views) if isinstance(views, Iterable) else (views,)  # neither an app nor a blueprint is iterable
    for target in targets:
        if not isinstance(target, (Flask, Blueprint)):
            raise TypeError(
                f"views must be an app, a blueprint or a collection of them, not {target!r}: put the views into a "
                "blueprint"
            )
    if not targets:
        raise ConfigurationError(
            "views is empty, so no view would belong to the resource: omit it, or name an app or blueprints"
        )
    return targets
