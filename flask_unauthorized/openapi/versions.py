"""The versions of OpenAPI: 2.0 (Swagger), 3.0, 3.1 and 3.2."""

from typing import Any, Final, NamedTuple

from ..errors import ConfigurationError
from .shown import shown

KNOWN: Final = ("2.0", "3.0", "3.1", "3.2")
METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
"""The members of a Path Item Object that are operations. ``query`` is one since 3.2."""


class Version(NamedTuple):
    """A version of OpenAPI."""

    major: int
    minor: int

    @property
    def is_swagger(self) -> bool:
        """Whether it is 2.0, which keeps its parts at the top."""
        return self.major == 2

    @property
    def allows_roles(self) -> bool:
        """Whether the array of a security requirement may hold names for all types of schemes (3.1 §4.8.30)."""
        return self >= (3, 1)


def read_version(document: dict[str, Any]) -> Version:
    """Return the version of a document.

    Raises:
        ConfigurationError: If it has none, or one that isn't known.
    """
    given = document.get("openapi", document.get("swagger"))
    if given is None:
        raise ConfigurationError(
            'the document has neither "openapi" nor "swagger", so its version is unknown: add "openapi": "3.1.0"'
        )
    return version_of(given)


def version_of(given: Any) -> Version:
    """Return the version that a text names, such as ``"3.1.0"``. Raises `ConfigurationError` for an unknown one."""
    text = str(given) if isinstance(given, (str, float)) else ""
    for known in KNOWN:
        if text == known or text.startswith(f"{known}."):
            major, minor = known.split(".")
            return Version(int(major), int(minor))
    raise ConfigurationError(f"the version of OpenAPI is {shown(given)}: use one of {', '.join(KNOWN)}")
