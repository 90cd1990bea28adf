"""What a plan needs to know about the protected resource that a view belongs to (RFC 9728)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Resource(Protocol):
    """A protected resource under one URL, as `Plan` reads it.

    Resources are declared, and their documents served, by a room above this one.
    """

    @property
    def metadata_url(self) -> str:
        """The URL of the document that challenges point to."""
        ...

    @property
    def origins(self) -> frozenset[str] | None:
        """The origins whose scripts may send requests, in lower case; ``None`` if ``Origin`` isn't checked."""
        ...

    @property
    def urls(self) -> Sequence["Resource"]:
        """The resource under each of its URLs, this one first."""
        ...

    def asked_by(self, environ: Mapping[str, Any]) -> "Resource":
        """Return the resource under the URL whose host the client asked for; this one for other hosts."""
        ...
