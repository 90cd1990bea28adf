"""What a body may say about a refusal. `problem_details` is the only place that reads an error for that purpose.

A body shows the error's public message, what its challenge says anyway (``error``, ``scope``, ``acr_values``,
``max_age``), and when to try again. It shows nothing of the request and nothing of the private ``reason``: the caller
may be an attacker, and a proxy or a log may keep the body. The `Explanation` for developers is an exception that the
settings switch on, and it holds no secret either.

The bodies don't see the error itself. So a new renderer cannot leak a field by mistake, and it cannot change the status
or the challenges.
"""

from http import HTTPStatus
from typing import Any, Final, NamedTuple

from .. import errors

MESSAGE_KEYS: Final = {
    errors.ExpiredCredentials: "expired",
    errors.SessionStolen: "stolen",
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
"""The first part of the keys of a page's title and message, by class. Subclasses use that of their nearest base."""
_MESSAGE_KEY_BY_STATUS: Final = {400: "malformed", 401: "missing", 403: "forbidden", 429: "throttled"}


class SchemeDiagnosis(NamedTuple):
    """What one scheme in force found in the request.

    Attributes:
        name: The scheme's name, such as ``"Bearer"``.
        found: What it found, as a sentence.
        command: A ``curl`` command that sends credentials of the scheme, to be filled in.
    """

    name: str
    found: str
    command: str


class Explanation(NamedTuple):
    """Why a request was refused, for its developer: in debug mode or with ``UNAUTHORIZED_EXPLAIN`` only.

    It names what was sent and never shows a value of it.

    Attributes:
        reason: The private reason, without control characters.
        sent: The credentials in the request, without their values.
        required: The requirement of the view, by the places that declare it.
        schemes: What each scheme in force found.
        challenges: The challenge lines of the response.
        specification: The paragraph that decides this case, such as ``"RFC 6750 §3.1, invalid_token"``.
        specification_url: Where to read that paragraph.
    """

    reason: str
    sent: tuple[str, ...]
    required: tuple[str, ...]
    schemes: tuple[SchemeDiagnosis, ...]
    challenges: tuple[str, ...]
    specification: str
    specification_url: str

    def as_dict(self) -> dict[str, Any]:
        """Return the ``debug`` member of a JSON body."""
        return {**self._asdict(), "schemes": [scheme._asdict() for scheme in self.schemes]}


class ProblemDetails(NamedTuple):
    """All that a body may say about a refusal.

    Attributes:
        status: The HTTP status code.
        message_key: The first part of a page's text keys, such as ``"expired"``.
        message: The text for the caller.
        has_own_message: True if the app wrote the message; it then stands instead of the page's text.
        extension_members: What the challenge says as well (RFC 9457 §3.2): ``error``, ``scope``, ``acr_values``,
            ``max_age``.
        problem_type: The absolute URI of the problem's type (RFC 9457 §3.1.1), or ``None``.
        schemes: The names of the schemes in force.
        credential_kinds: What these schemes take, in the same order: their ``Scheme.credential_kind``.
        tried_kind: The kind of the credentials that were tried, or ``None``.
        retry_after: Seconds until the next attempt makes sense, or ``None``.
        login_page: The URL of the login page, or ``None``.
        has_unsaved_input: True if the request carried input that is lost now, such as a form.
        explanation: The part for the developer, or ``None``.
    """

    status: int
    message_key: str
    message: str
    has_own_message: bool = False
    extension_members: tuple[tuple[str, Any], ...] = ()
    problem_type: str | None = None
    schemes: tuple[str, ...] = ()
    credential_kinds: tuple[str, ...] = ()
    tried_kind: str | None = None
    retry_after: int | None = None
    login_page: str | None = None
    has_unsaved_input: bool = False
    explanation: Explanation | None = None

    @property
    def title(self) -> str:
        """The status phrase of the registry, such as ``"Unauthorized"``."""
        return _status_phrase(self.status)


def problem_details(
    error: errors.AuthError,
    *,
    problem_base: str | None = None,
    schemes: tuple[str, ...] = (),
    credential_kinds: tuple[str, ...] = (),
    tried_kind: str | None = None,
    login_page: str | None = None,
    has_unsaved_input: bool = False,
    explanation: Explanation | None = None,
) -> ProblemDetails:
    """Collect what a body may say about an error.

    Args:
        error: The refusal.
        problem_base: The base of problem types, which end in the OAuth error code or else in the status phrase.
        schemes: The names of the schemes in force.
        credential_kinds: What these schemes take, in the same order.
        tried_kind: The kind of the credentials that were tried.
        login_page: The URL of the login page.
        has_unsaved_input: Whether the request carried input that is lost now.
        explanation: The part for the developer.
    """
    status: int = getattr(error, "code", None) or 500
    known = next((kind for kind in type(error).__mro__ if kind in MESSAGE_KEYS), None)
    if known is None:
        message_key = _MESSAGE_KEY_BY_STATUS.get(status, "forbidden" if status < 500 else "unavailable")
    else:
        message_key = MESSAGE_KEYS[known]
    members: list[tuple[str, Any]] = [] if error.error is None else [("error", error.error)]
    for name, attribute in (("scope", "scopes"), ("acr_values", "acr_values")):
        values = getattr(error, attribute, ())
        if values:
            members.append((name, " ".join(values)))
    max_age = getattr(error, "max_age", None)
    if max_age is not None:
        members.append(("max_age", max_age))
    problem_type = None
    if problem_base is not None:
        problem_type = problem_base + (error.error or _status_phrase(status).lower().replace(" ", "-"))
    message = error.message
    return ProblemDetails(
        status=status,
        message_key=message_key,
        message=message,
        has_own_message=message != getattr(known, "description", None),
        extension_members=tuple(members),
        problem_type=problem_type,
        schemes=schemes,
        credential_kinds=credential_kinds,
        tried_kind=tried_kind,
        retry_after=getattr(error, "retry_after", None),
        login_page=login_page,
        has_unsaved_input=has_unsaved_input,
        explanation=explanation,
    )


def _status_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # an app's own error class may have a status that no registry knows
        return "Unknown Status"
