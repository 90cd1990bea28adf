"""What only several exchanges with one URL show: whether the server distinguishes cases as clients need it.

`compare` gets the exchanges of `probes`, by name. Each rule looks at those that it needs, and gives nothing if one of
them is missing.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from .catalog import Finding
from .exchange import Exchange
from .rules import WELL_KNOWN

Exchanges = Mapping[str, Exchange]
_OAUTH: Final = ("bearer", "dpop")
_WRONG: Final = ("wrong token", "wrong password", "malformed token", "expired token")
"""The probes that send credentials."""


def compare(exchanges: Exchanges) -> list[Finding]:
    """Return what the exchanges show together."""
    return list(dict.fromkeys(finding for rule in _RULES for finding in rule(exchanges)))


def _offered(exchange: Exchange) -> set[str]:
    return {challenge.scheme.lower() for challenge in exchange.challenges}


def _forbidden_to_strangers(exchanges: Exchanges) -> Iterator[Finding]:
    """W6: the server refuses wrong credentials by 401, so it takes some, but a client isn't told that."""
    nothing = exchanges["nothing"]
    if nothing.status == 403 and any(exchanges[name].status == 401 for name in _WRONG if name in exchanges):
        yield nothing.finding("W6", "credentials that are wrong get 401")


def _same_challenge(exchanges: Exchanges) -> Iterator[Finding]:
    """W8: the request with a token looks like the one without."""
    nothing = exchanges["nothing"]
    for name in ("wrong token", "expired token"):
        sent = exchanges.get(name)
        if sent is None or sent.status != 401 or not set(_OAUTH) & _offered(sent):
            continue
        oauth = [challenge for challenge in sent.challenges if challenge.scheme.lower() in _OAUTH]
        if nothing.status == 401 and not any(challenge.get("error") for challenge in oauth):
            yield sent.finding("W8", ", ".join(map(str, oauth)))


def _lost_for_html(exchanges: Exchanges) -> Iterator[Finding]:
    html = exchanges.get("HTML")
    if html is not None and html.status == 401 and not html.examined and exchanges["nothing"].examined:
        yield html.finding("W9")


def _not_offered(exchanges: Exchanges) -> Iterator[Finding]:
    """W10: a wrong credential brings to light a scheme that the first 401 didn't name."""
    nothing = exchanges["nothing"]
    if nothing.status != 401 or not nothing.examined:
        return
    for name in _WRONG:
        sent = exchanges.get(name)
        hidden = _offered(sent) - _offered(nothing) if sent is not None and sent.status == 401 else set()
        if sent is not None and hidden:
            yield sent.finding("W10", f"{', '.join(sorted(hidden))} is only offered after wrong credentials")


def _wrong_name(exchanges: Exchanges) -> Iterator[Finding]:
    """W13: a Bearer token changes the response, so it was read, but Bearer isn't offered."""
    nothing, sent = exchanges["nothing"], exchanges.get("wrong token")
    if sent is None or nothing.status != 401 or set(_OAUTH) & (_offered(nothing) | _offered(sent)):
        return
    other = exchanges.get("wrong password")
    # A scheme that isn't taken may be refused by another status as well, so a third scheme is the measure.
    was_read = sent.status != nothing.status and (other is None or other.status == nothing.status)
    if was_read and nothing.examined:
        yield sent.finding("W13", f"{sent.status} with a Bearer token, {nothing.status} without")


def _order(exchanges: Exchanges) -> Iterator[Finding]:
    sent = exchanges.get("expired token")
    if sent is not None and sent.status == 403:
        yield sent.finding("W15")


def _statuses(exchanges: Exchanges) -> Iterator[Finding]:
    """C14, C15: wrong credentials where the resource is guarded, and failures anywhere."""
    nothing = exchanges["nothing"]
    for name in _WRONG:
        sent = exchanges.get(name)
        if sent is None:
            continue
        if sent.status >= 500 and sent.status != 503 and nothing.status < 500:
            yield sent.finding("C14", f"{sent.status} for a {name}")
        elif nothing.status == 401 and 400 < sent.status < 500 and sent.status not in (401, 403, 429):
            yield sent.finding("C15", f"{sent.status} for a {name}")


def _head(exchanges: Exchanges) -> Iterator[Finding]:
    head, nothing = exchanges.get("HEAD"), exchanges["nothing"]
    if head is not None and head.status not in (nothing.status, 405, 501) and nothing.status in (401, 403):
        yield head.finding("C16", f"{nothing.status} for GET")


def _document(exchanges: Exchanges) -> Iterator[Finding]:
    """W14: the document names the resource for which it stands at this URL (RFC 9728 §3.3)."""
    document = exchanges.get("metadata")
    if document is None:
        return
    if document.status != 200:
        seen = f"responds with {document.status}" if document.status else "can't be fetched"
        yield document.finding("W14", f"resource_metadata {seen}")
        return
    try:
        members = json.loads(document.body or b"")
        resource = members["resource"]
        parts = urlsplit(resource)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        yield document.finding("W14", "resource_metadata leads to no JSON object with the member resource")
        return
    path = parts.path.rstrip("/") if parts.path == "/" else parts.path
    well_known = f"{WELL_KNOWN}{path}" + (f"?{parts.query}" if parts.query else "")
    asked = document.path + (f"?{document.query}" if document.query else "")
    if WELL_KNOWN in asked and asked != well_known:
        yield document.finding("W14", f"resource={resource} belongs to {well_known}")
    elif not _covers(path, exchanges["nothing"].path):
        yield document.finding("W14", f"resource={resource} isn't the URL of the request")


def _covers(resource: str, path: str) -> bool:
    return path == resource or path.startswith(f"{resource.rstrip('/')}/")


_RULES: Final[tuple[Callable[[Exchanges], Iterator[Finding]], ...]] = (
    _forbidden_to_strangers,
    _same_challenge,
    _lost_for_html,
    _not_offered,
    _wrong_name,
    _order,
    _statuses,
    _head,
    _document,
)
