"""What a single exchange shows. `lint` runs all rules over it.

Each rule takes an `Exchange` and gives findings. A rule that depends on the request gives nothing if the fields of the
request aren't known. `LINTED_STATUSES` are the only statuses about which a rule says anything, so that a middleware
does nothing but compare the status of other responses.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from ..wire import GrammarError, parse_challenges
from ..wire.challenge import Challenge
from ..wire.rules import SCHEMES_WITH_RULES, check_required
from .catalog import Finding
from .exchange import Exchange, Fields, make_exchange

LINTED_STATUSES: Final = frozenset({"302", "303", "307", "400", "401", "403", "407", "429", "503"})
"""The statuses that a rule may say something about, as the first three characters of a status line."""
WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
_REFUSALS: Final = (401, 403)
_OUTAGE: Final = re.compile(
    rb"ECONNREFUSED|ETIMEDOUT|Connection refused|Connection reset|timed out|Traceback \(most recent|Name or service not"
    rb"|Max retries exceeded|OperationalError|could not connect to server|Temporary failure in name resolution"
)
_LOGIN_PATH: Final = re.compile(r"(?i)log-?in|sign-?in|/auth|/sso|/oauth|/saml")
# Phrases of `wire.soundness.examine`, with the rule that each belongs to. The first that fits decides.
_PROBLEMS: Final = (
    ("occurs twice", "W16"),
    ("doesn't parse", "W2"),
    ("not quoted", "C10"),
    ("registered as", "C6"),
    (" needs ", ""),  # `_missing` looks at what was sent, not at what is left of it.
    ("resource_metadata", ""),  # `_metadata` looks at it.
    ("belongs to another status", "C4"),
    ("without a parameter", ""),  # RFC 9110 allows it, unless the scheme requires one: see `_missing`.
    ("with a token68", ""),
    ("=''", ""),  # An empty description holds no forbidden character (RFC 6750 §3).
    ("cannot be sent safely", "C3"),
    ("must be printable", "C3"),
    ("realm is ", ""),  # A long realm breaks no rule of a standard.
)


def lint(
    status: int | str,
    headers: Fields,
    body: bytes | None = None,
    *,
    method: str = "GET",
    path: str = "/",
    query: str = "",
    request_headers: Fields | None = None,
) -> list[Finding]:
    """Return what is wrong with a response, as far as authentication is concerned.

    Example:
        A 401 must have a challenge::

            from flask_unauthorized.lint import lint

            found = lint(401, {"Cache-Control": "no-store"}, method="GET", path="/notes")
            assert [finding.id for finding in found] == ["W1"]

    Args:
        status: The status, or a status line such as ``"401 UNAUTHORIZED"``.
        headers: The fields of the response: a mapping, or pairs of names and values.
        body: The body, if it is known.
        method: The method of the request.
        path: The path of the request.
        query: Its query. Its values stand in no finding.
        request_headers: The fields of the request. Without them, rules about the request are skipped.

    Returns:
        The findings, in the order of the rules. None holds a credential of the request.
    """
    return lint_exchange(
        make_exchange(status, headers, body, method=method, path=path, query=query, request_fields=request_headers)
    )


def lint_exchange(exchange: Exchange) -> list[Finding]:
    """Return what is wrong with the response of an exchange."""
    found = [finding for rule in _RULES for finding in rule(exchange)]
    return list(dict.fromkeys(found))


def _challenge(exchange: Exchange) -> Iterator[Finding]:
    """W1, W2, W3, W16 and the rules of single parameters: what the lines say by themselves."""
    if exchange.status == 401 and not exchange.examined and not exchange.is_preflight:
        yield exchange.finding("W1")
    for line, examined in exchange.examined:
        for problem in examined.problems:
            rule = _rule_of(problem, exchange.status)
            if rule:
                detail = problem.removeprefix("a challenge that doesn't parse: ")
                yield exchange.finding(rule, f"{line} ({detail})" if rule in ("W2", "W16") else line)
        yield from _missing(exchange, line)


def _rule_of(problem: str, status: int) -> str:
    """Return the rule that a problem of `examine` belongs to; empty if another function looks at it."""
    rule = next((rule for phrase, rule in _PROBLEMS if phrase in problem), "C11")
    return "W5" if rule == "C4" and status == 401 and "insufficient_scope" in problem else rule


def _missing(exchange: Exchange, line: str) -> Iterator[Finding]:
    """W3: a required parameter is missing, or a scheme that has parameters by its RFC stands alone."""
    for challenge in _parsed(line):
        scheme = challenge.scheme.lower()
        try:
            check_required(scheme, {name.lower() for name, _ in challenge.params})
        except ValueError:
            yield exchange.finding("W3", line)


def _parsed(line: str) -> tuple[Challenge, ...]:
    try:
        return parse_challenges(line)
    except GrammarError:
        return ()


def _repeated(exchange: Exchange) -> Iterator[Finding]:
    """W16: two challenges of one scheme and realm. Digest has one for each algorithm (RFC 7616 §3.7)."""
    seen: set[tuple[str, ...]] = set()
    for line in exchange.lines("www-authenticate"):
        for challenge in _parsed(line):
            if challenge.scheme.lower() not in SCHEMES_WITH_RULES:
                continue
            key = (challenge.scheme.lower(), *(challenge.get(name) or "" for name in ("realm", "algorithm")))
            if key in seen:
                yield exchange.finding("W16", line)
            seen.add(key)


def _joined(exchange: Exchange) -> Iterator[Finding]:
    """C5: clients that split at commas read one challenge (RFC 9110 §11.6.1).

    A script in a browser gets all lines as one anyway (Fetch §5.1, ``Headers.get``), so one line loses nothing there.
    """
    for line in () if exchange.is_of_script else exchange.lines("www-authenticate"):
        if len(_parsed(line)) > 1:
            yield exchange.finding("C5", line)


def _error_without_credentials(exchange: Exchange) -> Iterator[Finding]:
    if exchange.status == 401 and exchange.is_anonymous:
        for line, _ in exchange.examined:
            # A nonce is asked for before any token is judged (RFC 9449 §8.2).
            if any(one.get("error") not in (None, "use_dpop_nonce") for one in _parsed(line)):
                yield exchange.finding("W4", line)


def _scope_missing(exchange: Exchange) -> Iterator[Finding]:
    for challenge in exchange.challenges if exchange.status == 403 else ():
        if challenge.get("error") == "insufficient_scope" and challenge.get("scope") is None:
            yield exchange.finding("C7", str(challenge))


def _outage(exchange: Exchange) -> Iterator[Finding]:
    if exchange.status == 401 and exchange.body is not None:
        leak = _OUTAGE.search(exchange.body[: 1 << 16])
        if leak is not None:
            yield exchange.finding("W7", leak[0].decode("latin-1"))


def _preflight(exchange: Exchange) -> Iterator[Finding]:
    if exchange.is_preflight and exchange.status in (401, 407):
        yield exchange.finding("W11")


def _exposed(exchange: Exchange) -> Iterator[Finding]:
    """W12: only if the response is for another origin at all."""
    if not exchange.lines("access-control-allow-origin") or exchange.is_preflight:
        return
    exposed = exchange.members("access-control-expose-headers")
    with_cookies = "true" in exchange.members("access-control-allow-credentials")
    if "*" in exposed and not with_cookies:
        return
    for name in ("WWW-Authenticate", "DPoP-Nonce"):
        if exchange.lines(name.lower()) and name.lower() not in exposed:
            yield exchange.finding("W12", f"{name}; exposed: {', '.join(sorted(exposed)) or 'nothing'}")


def _metadata(exchange: Exchange) -> Iterator[Finding]:
    """W14: as far as the URL alone shows it (RFC 9728 §3.1)."""
    for line, _ in exchange.examined:
        for challenge in _parsed(line):
            url = challenge.get("resource_metadata")
            if url is not None and not _is_metadata_url(url):
                yield exchange.finding("W14", f"resource_metadata={url}")


def _is_metadata_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    is_local = host in ("localhost", "127.0.0.1", "::1")
    if not host or parts.fragment or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_local)


def _caching(exchange: Exchange) -> Iterator[Finding]:
    if exchange.status not in _REFUSALS or exchange.is_preflight:
        return
    directives = exchange.members("cache-control")
    if "no-store" in directives:
        return
    seen = f"Cache-Control: {', '.join(exchange.lines('cache-control')) or 'none'}"
    if _is_shared(exchange, directives) and not {"authorization", "*"} & exchange.members("vary"):
        yield exchange.finding("C2", seen)
    elif exchange.status == 401 or exchange.examined:
        yield exchange.finding("C1", seen)


def _is_shared(exchange: Exchange, directives: set[str]) -> bool:
    """Return whether shared caches store a 401 or 403: only with `public` or explicit freshness (RFC 9111 §3)."""
    names = {part.partition("=")[0] for part in directives}
    if names & {"private", "no-cache"} or "max-age=0" in directives:
        return False
    return bool(names & {"public", "s-maxage", "max-age"} or _is_future(exchange))


def _is_future(exchange: Exchange) -> bool:
    """Return whether `Expires` is a date. A value such as 0 or -1 has passed (RFC 9111 §5.3)."""
    return any(len(value) > 4 and value not in exchange.lines("date") for value in exchange.lines("expires"))


def _retry(exchange: Exchange) -> Iterator[Finding]:
    if exchange.status in (429, 503) and not exchange.lines("retry-after"):
        yield exchange.finding("C8")
    if exchange.status == 503 and exchange.examined:
        yield exchange.finding("C12", exchange.examined[0][0])


def _proxy(exchange: Exchange) -> Iterator[Finding]:
    if exchange.status == 407:
        yield exchange.finding("C13")


def _redirect(exchange: Exchange) -> Iterator[Finding]:
    """C9: a redirect of a request that a script made, to what looks like a login page."""
    if exchange.status not in (302, 303, 307) or not _is_script(exchange):
        return
    for location in exchange.lines("location"):
        path = location.partition("?")[0].partition("#")[0]
        if _LOGIN_PATH.search(path):
            yield exchange.finding("C9", f"Location: {path}")


def _is_script(exchange: Exchange) -> bool:
    mode = exchange.sent("sec-fetch-mode")
    if mode is not None:
        return mode in ("cors", "same-origin")
    return (exchange.sent("x-requested-with") or "").lower() == "xmlhttprequest"


_RULES: Final[tuple[Callable[[Exchange], Iterator[Finding]], ...]] = (
    _challenge,
    _repeated,
    _error_without_credentials,
    _scope_missing,
    _outage,
    _preflight,
    _exposed,
    _metadata,
    _caching,
    _joined,
    _retry,
    _proxy,
    _redirect,
)
