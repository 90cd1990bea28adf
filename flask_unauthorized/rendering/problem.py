"""What a body may tell of a refusal: nothing of the request, nothing secret."""

from http import HTTPStatus
from typing import Any, Final, NamedTuple

from .. import errors

KINDS: Final = {
    errors.ExpiredCredentials: "expired",
    errors.RevokedCredentials: "revoked",
    errors.InvalidProof: "proof",
    errors.NonceRequired: "proof",
    errors.InvalidCredentials: "invalid",
    errors.StepUpRequired: "step_up",
    errors.MissingCredentials: "missing",
    errors.Unauthorized: "missing",
    errors.MalformedCredentials: "malformed",
    errors.InsufficientScope: "scope",
    errors.Forbidden: "forbidden",
    errors.TooManyAttempts: "throttled",
    errors.CrossSiteRequest: "cross_site",
    errors.AuthUnavailable: "unavailable",
}
_BY_STATUS: Final = {400: "malformed", 401: "missing", 403: "forbidden", 429: "throttled", 503: "unavailable"}


class SchemeSaid(NamedTuple):
    """One scheme in force: what it made of the request, and a command that would use it."""

    name: str
    said: str
    send: str


class Explanation(NamedTuple):
    """Why, for the developer: in debug or with ``UNAUTHORIZED_EXPLAIN`` only, and still without any secret."""

    reason: str
    sent: tuple[str, ...]
    demanded: tuple[str, ...]
    schemes: tuple[SchemeSaid, ...]
    challenges: tuple[str, ...]
    paragraph: str
    see: str

    def as_dict(self) -> dict[str, Any]:
        """For a JSON body's ``debug`` member."""
        return {**self._asdict(), "schemes": [scheme._asdict() for scheme in self.schemes]}


class Facts(NamedTuple):
    """What a body may tell.

    ``kind`` is a key of the texts, ``own_message`` says that the app wrote the message. ``details`` mirrors the
    challenge (``error``, ``scope``, ``acr_values``, ``max_age``); ``schemes`` are the names of those in force;
    ``retry_after`` is in seconds; ``login_page`` an address to link to; ``unsaved`` where something was sent that is
    lost now.
    """

    status: int
    kind: str
    message: str
    own_message: bool = False
    details: tuple[tuple[str, Any], ...] = ()
    problem_type: str | None = None
    schemes: tuple[str, ...] = ()
    retry_after: int | None = None
    login_page: str | None = None
    unsaved: bool = False
    explanation: Explanation | None = None

    @property
    def title(self) -> str:
        """The status phrase: "Unauthorized"."""
        return _phrase(self.status)


def facts(
    error: Any,
    *,
    problem_base: str | None = None,
    schemes: tuple[str, ...] = (),
    login_page: str | None = None,
    unsaved: bool = False,
    explanation: Explanation | None = None,
) -> Facts:
    """What may be told of an `AuthError`."""
    known = next((kind for kind in type(error).__mro__ if kind in KINDS), None)
    message = error.message
    code = error.error
    problem_type = None if problem_base is None else problem_base + (code or _slug(error.code))
    return Facts(
        status=error.code,
        kind=_BY_STATUS.get(error.code, "forbidden") if known is None else KINDS[known],
        message=message,
        own_message=known is None or message != known.description,  # type: ignore[attr-defined]  # all in KINDS have one
        details=tuple(_details(error)),
        problem_type=problem_type,
        schemes=schemes,
        retry_after=getattr(error, "retry_after", None),
        login_page=login_page,
        unsaved=unsaved,
        explanation=explanation,
    )


def _details(error: Any) -> list[tuple[str, Any]]:
    told: list[tuple[str, Any]] = [] if error.error is None else [("error", error.error)]
    for name, member in (("scope", "scopes"), ("acr_values", "acr_values")):
        values = getattr(error, member, ())
        if values:
            told.append((name, " ".join(values)))
    max_age = getattr(error, "max_age", None)
    return told if max_age is None else [*told, ("max_age", max_age)]


def _slug(status: int) -> str:
    return _phrase(status).lower().replace(" ", "-")


def _phrase(status: int) -> str:
    """The reason phrase; an app's own error class may have a status that no registry knows."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown Status"
