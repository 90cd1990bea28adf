"""Header fields that several rooms edit: challenges, caching, ``Vary`` and what scripts of other origins may read.

Each function edits one field and leaves what the app wrote if that is possible. Werkzeug's ``response.vary`` and
``response.cache_control`` parse a field and write it back in their own order and spelling, so they aren't used here.
"""

import re
from collections.abc import Iterable
from typing import Final

from flask import Response

CHALLENGE_FIELD: Final = "WWW-Authenticate"
_EXPOSED_FIELDS: Final = (CHALLENGE_FIELD, "DPoP-Nonce", "Retry-After")
_SHARING_DIRECTIVES: Final = frozenset({"public", "s-maxage", "private"})
"""Directives that are removed: those that admit shared caches, and ``private``, which may name single fields only."""
_LIST_ELEMENT: Final = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+')


def set_challenge_lines(response: Response, lines: Iterable[str]) -> None:
    """Replace all ``WWW-Authenticate`` lines of a response."""
    response.headers.remove(CHALLENGE_FIELD)
    for line in lines:
        response.headers.add(CHALLENGE_FIELD, line)


def set_no_store(response: Response) -> Response:
    """Forbid every cache to store a response. ``Set-Cookie`` alone doesn't do that (RFC 9111 §7.3).

    It returns the response, so that it can serve as an ``after_request`` function.
    """
    response.headers["Cache-Control"] = "no-store"
    return response


def add_vary(response: Response, names: tuple[str, ...]) -> None:
    """Add field names to ``Vary``; names that are there already, in any case, and ``*`` stay as they are."""
    given = ", ".join(response.headers.getlist("Vary"))
    if not given and names:
        response.headers["Vary"] = ", ".join(names)
    elif given:
        known = {name.strip().lower() for name in given.split(",")}
        added = [name for name in names if name.lower() not in known]
        if added and "*" not in known:
            response.headers["Vary"] = ", ".join([given, *added])


def keep_out_of_shared_caches(response: Response, *, always: bool) -> None:
    """Make a response ``private``, and remove what admits shared caches.

    Args:
        response: The response to an identified caller.
        always: If false, a response without ``Cache-Control`` stays as it is: shared caches don't store the response
            to a request with ``Authorization`` (RFC 9111 §3.5).
    """
    given = response.headers.getlist("Cache-Control")
    if not given:
        if always:
            response.headers["Cache-Control"] = "private"
        return
    directives = parse_cache_control(", ".join(given))
    names = {name for name, _ in directives}
    if "private" in {text.lower() for _, text in directives} and names.isdisjoint(("public", "s-maxage")):
        return
    remaining = [text for name, text in directives if name not in _SHARING_DIRECTIVES]
    # A cache that knows must-understand ignores the no-store beside it (RFC 9111 §5.2.2.3).
    if "no-store" not in names or "must-understand" in names:
        remaining.append("private")
    response.headers["Cache-Control"] = ", ".join(remaining)


def parse_cache_control(value: str) -> list[tuple[str, str]]:
    """Return the directives of a ``Cache-Control`` value, each as its lower-case name and its text as written."""
    return [
        (text.partition("=")[0].strip().lower(), text) for text in map(str.strip, _LIST_ELEMENT.findall(value)) if text
    ]


def expose_to_scripts(response: Response) -> None:
    """Let scripts of other origins read these fields, if the app lets them read the response at all (CORS)."""
    headers = response.headers
    if not headers.getlist("Access-Control-Allow-Origin"):
        return
    exposed = [name.strip() for name in headers.get("Access-Control-Expose-Headers", "").split(",") if name.strip()]
    known = {name.lower() for name in exposed}
    missing = [name for name in _EXPOSED_FIELDS if name in headers and name.lower() not in known]
    if missing:
        headers["Access-Control-Expose-Headers"] = ", ".join(exposed + missing)
