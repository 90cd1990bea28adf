"""The built-in bodies of refusals, by media type: problem details in, text out."""

import json
from collections.abc import Callable
from typing import Any, Final

from flask import Response

from .problem import ProblemDetails

Body = str | bytes | dict[str, Any]
Renderer = Callable[[Any], Body | Response]
"""A renderer of the app: the error in, the body out."""


def render_json(problem: ProblemDetails) -> str:
    """Render ``{"error": "Unauthorized", "message": "…"}``."""
    return _dump({"error": problem.title, "message": problem.message}, problem)


def render_problem(problem: ProblemDetails) -> str:
    """Render problem details (RFC 9457 §3), with a ``type`` only if ``UNAUTHORIZED_PROBLEM_BASE`` is set.

    ``retry_after`` is the number of seconds of ``Retry-After``.
    """
    members: dict[str, Any] = {} if problem.problem_type is None else {"type": problem.problem_type}
    members.update(title=problem.title, status=problem.status, detail=problem.message)
    if problem.retry_after is not None:
        members["retry_after"] = problem.retry_after
    return _dump({**members, **dict(problem.extension_members)}, problem)


def render_page(problem: ProblemDetails) -> str:
    """Render the page for people, in English."""
    from .html import render_html  # an API never loads it

    return render_html(problem)


def render_text(problem: ProblemDetails) -> str:
    """Render status and phrase on one line, and the message on the next one."""
    return f"{problem.status} {problem.title}\n{problem.message}\n"


BUILT_IN_RENDERERS: Final[dict[str, Callable[[ProblemDetails], str]]] = {
    "application/json": render_json,
    "application/problem+json": render_problem,
    "text/html": render_page,
    "text/plain": render_text,
}
"""Renderers by media type; the first is the default."""


def content_type(media_type: str) -> str:
    """Return a media type with its charset, if it is text."""
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def _dump(content: dict[str, Any], problem: ProblemDetails) -> str:
    if problem.explanation is not None:
        content["debug"] = problem.explanation.as_dict()
    return json.dumps(content) + "\n"
