"""Which errors have equal responses, so that one response can serve all of them."""

from typing import Final

from .. import errors
from . import AuthError

CacheKey = tuple[type[AuthError], tuple[str, ...]]


def response_cache_key(error: AuthError) -> CacheKey | None:
    """Return class and scopes, if these alone decide what a response says; ``None`` if an app changed anything."""
    kind = type(error)
    fields = error.__dict__
    if (
        kind not in _OWN_CLASSES
        or not _FIELDS_WITHOUT_EFFECT.issuperset(fields)
        or type(getattr(kind, "description", "")) is not str  # the app may have given the class a lazy text
    ):
        return None
    scopes = fields.get("scopes", ())
    return (kind, scopes) if type(scopes) is tuple else None


_OWN_CLASSES: Final = frozenset(
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AuthError)
)
# These change nothing of what a response says, except for the scopes, which are part of the key.
_FIELDS_WITHOUT_EFFECT: Final = frozenset(
    {"challenges", "one_line", "reason", "reason_code", "refusal_number", "scheme", "scopes"}
)
