"""The built-in bodies of refusals: error in, body out. They touch neither status nor challenge."""

import json
from collections.abc import Callable
from html import escape
from typing import Any, Final, NamedTuple

from werkzeug.http import HTTP_STATUS_CODES

Body = str | bytes | dict[str, Any]


class Facts(NamedTuple):
    """What a body may tell: nothing of the request, nothing secret.

    ``details`` mirrors the challenge (``error``, ``scope``, ``acr_values``, ``max_age``); ``debug`` explains the
    refusal to the developer, line by line, and is empty outside debug.
    """

    status: int
    message: str
    details: tuple[tuple[str, Any], ...] = ()
    problem_type: str | None = None
    debug: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """The status phrase: "Unauthorized"."""
        return HTTP_STATUS_CODES[self.status]


def facts(error: Any, *, problem_base: str | None = None, debug: tuple[tuple[str, str], ...] = ()) -> Facts:
    """What may be told of an `AuthError`, or of any Werkzeug HTTP exception."""
    code = getattr(error, "error", None)
    told: list[tuple[str, Any]] = [] if code is None else [("error", code)]
    scopes = getattr(error, "scopes", ())
    if scopes:
        told.append(("scope", " ".join(scopes)))
    acr_values = getattr(error, "acr_values", ())
    if acr_values:
        told.append(("acr_values", " ".join(acr_values)))
    max_age = getattr(error, "max_age", None)
    if max_age is not None:
        told.append(("max_age", max_age))
    problem_type = None if problem_base is None else problem_base + (code or _slug(error.code))
    return Facts(
        error.code, getattr(error, "message", None) or error.description or "", tuple(told), problem_type, debug
    )


def as_json(told: Facts) -> str:
    """``{"error": "Unauthorized", "message": "…"}``."""
    return _dump({"error": told.title, "message": told.message})


def as_problem(told: Facts) -> str:
    """Problem details (RFC 9457); ``type`` only where ``UNAUTHORIZED_PROBLEM_BASE`` says where they are documented."""
    problem: dict[str, Any] = {} if told.problem_type is None else {"type": told.problem_type}
    return _dump({**problem, "title": told.title, "status": told.status, "detail": told.message, **dict(told.details)})


def as_html(told: Facts) -> str:
    """A page that a person can read, without script, style or file from elsewhere."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in told.debug)
    explained = f"<h2>Why (shown in debug only)</h2><dl>{rows}</dl>" if rows else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{told.status} {told.title}</title></head>\n"
        f"<body><main><h1>{told.status} {told.title}</h1><p>{escape(told.message)}</p>{explained}</main></body>"
        "</html>\n"
    )


def as_text(told: Facts) -> str:
    """Status, phrase and message in two lines."""
    return f"{told.status} {told.title}\n{told.message}\n"


BUILT_IN: Final[dict[str, Callable[[Facts], str]]] = {
    "application/json": as_json,
    "application/problem+json": as_problem,
    "text/html": as_html,
    "text/plain": as_text,
}
"""Renderers by media type; the first is the default."""


def content_type(media: str) -> str:
    """``media`` with its charset, where it is text."""
    return f"{media}; charset=utf-8" if media.startswith("text/") else media


def _slug(status: int) -> str:
    return HTTP_STATUS_CODES[status].lower().replace(" ", "-")


def _dump(content: dict[str, Any]) -> str:
    return json.dumps(content) + "\n"
