"""The built-in bodies of refusals: facts in, body out. They touch neither status nor challenge."""

import json
from collections.abc import Callable
from typing import Any, Final

from flask import Response

from .html import page
from .problem import Facts

Body = str | bytes | dict[str, Any]
Renderer = Callable[[Any], Body | Response]
"""A renderer of the app: the error in, the body out."""


def as_json(told: Facts) -> str:
    """``{"error": "Unauthorized", "message": "…"}``."""
    return _dump({"error": told.title, "message": told.message}, told)


def as_problem(told: Facts) -> str:
    """Problem details (RFC 9457); ``type`` only where ``UNAUTHORIZED_PROBLEM_BASE`` says where they are documented."""
    problem: dict[str, Any] = {} if told.problem_type is None else {"type": told.problem_type}
    problem.update(title=told.title, status=told.status, detail=told.message)
    return _dump({**problem, **dict(told.details)}, told)


def as_text(told: Facts) -> str:
    """Status, phrase and message in two lines."""
    return f"{told.status} {told.title}\n{told.message}\n"


BUILT_IN: Final[dict[str, Callable[[Facts], str]]] = {
    "application/json": as_json,
    "application/problem+json": as_problem,
    "text/html": page,
    "text/plain": as_text,
}
"""Renderers by media type; the first is the default."""


def content_type(media: str) -> str:
    """``media`` with its charset, where it is text."""
    return f"{media}; charset=utf-8" if media.startswith("text/") else media


def _dump(content: dict[str, Any], told: Facts) -> str:
    if told.explanation is not None:
        content["debug"] = told.explanation.as_dict()
    return json.dumps(content) + "\n"
