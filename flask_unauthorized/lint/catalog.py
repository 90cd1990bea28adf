"""The findings: what each means, how bad it is, where the rule stands, and how to repair it.

Levels:

- ``"error"``: the response breaks a rule of a standard, or tells the client something that is wrong.
- ``"warning"``: a standard advises against it, or known clients fail.
- ``"note"``: it may be intended. Look at it once.

Ids that begin with W are the ways in which a 401 goes wrong. Those that begin with C concern the fields around it.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Level = Literal["error", "warning", "note"]
LEVELS: Final[tuple[Level, ...]] = ("note", "warning", "error")
"""From the least serious to the most serious."""


class Rule(NamedTuple):
    """One kind of finding."""

    level: Level
    title: str
    see: str
    fix: str


RULES: Final[dict[str, Rule]] = {
    "W1": Rule(
        "error",
        "a 401 without a challenge",
        "RFC 9110 §15.5.2",
        'send WWW-Authenticate with each 401, such as Bearer realm="api"',
    ),
    "W2": Rule(
        "error",
        "a challenge that clients can't parse",
        "RFC 9110 §11.6.1",
        "separate parameters by commas, quote values, and escape quotes in them",
    ),
    "W3": Rule(
        "error",
        "a challenge without a parameter that its scheme requires",
        "RFC 7617 §2, RFC 7616 §3.3, RFC 6750 §3",
        "add the parameter; Basic and Bearer need a realm",
    ),
    "W4": Rule(
        "warning",
        "an error code, although the request had no credentials",
        "RFC 6750 §3.1",
        "leave out error and error_description if nothing was sent",
    ),
    "W5": Rule(
        "error",
        "a lack of scope as a 401: the client fetches a new token in vain",
        "RFC 6750 §3.1",
        "respond with 403 and error=insufficient_scope",
    ),
    "W6": Rule(
        "error",
        "a request without credentials gets 403, so the client isn't told to log in",
        "RFC 9110 §15.5.4",
        "respond with 401 and a challenge if no credentials were sent",
    ),
    "W7": Rule(
        "warning",
        "the body of a 401 speaks of a failure of the server",
        "RFC 9110 §15.6.4",
        "respond with 503 if credentials can't be checked",
    ),
    "W8": Rule(
        "warning",
        "an invalid or expired token gets the same challenge as no token",
        "RFC 6750 §3.1",
        "send error=invalid_token if a token was sent",
    ),
    "W9": Rule(
        "error",
        "the challenge is lost if the client asks for HTML",
        "RFC 9110 §15.5.2",
        "let the error handler keep the headers of the 401",
    ),
    "W10": Rule(
        "warning",
        "a scheme that the server takes isn't offered",
        "RFC 9110 §11.6.1",
        "offer all schemes of the resource in each 401",
    ),
    "W11": Rule(
        "error",
        "a CORS preflight is asked for credentials, which it can't have",
        "Fetch, section CORS-preflight fetch",
        "respond to preflights before the check of credentials",
    ),
    "W12": Rule(
        "warning",
        "scripts of other origins can't read the challenge",
        "Fetch, section CORS filtered response",
        "name the field in Access-Control-Expose-Headers",
    ),
    "W13": Rule(
        "warning",
        "Bearer tokens are checked, but no challenge names Bearer",
        "RFC 6750 §3",
        "name the scheme that clients must send",
    ),
    "W14": Rule(
        "error",
        "resource_metadata leads nowhere, or to the metadata of another resource",
        "RFC 9728 §3.3, §5.1",
        "serve the document at the well-known URL of the resource, and name that URL",
    ),
    "W15": Rule(
        "error",
        "an expired token gets 403",
        "RFC 6750 §3.1",
        "check the token before its scopes",
    ),
    "W16": Rule(
        "error",
        "a parameter or a challenge occurs twice",
        "RFC 9110 §11.2",
        "send each parameter once, and one challenge for each scheme and realm",
    ),
    "C1": Rule(
        "note",
        "a refusal without no-store",
        "RFC 9111 §5.2.2.5",
        "send Cache-Control: no-store with refusals",
    ),
    "C2": Rule(
        "warning",
        "a cache may store a refusal and send it to callers with credentials",
        "RFC 9111 §3.5, §4.1",
        "send Cache-Control: no-store with refusals",
    ),
    "C3": Rule(
        "error",
        "a value with characters that its parameter must not have",
        "RFC 6750 §3, RFC 9110 §5.5",
        "use printable ASCII without quotes and backslashes",
    ),
    "C4": Rule(
        "warning",
        "an error code that belongs to another status",
        "RFC 6750 §3.1",
        "send invalid_request with 400, invalid_token with 401, and insufficient_scope with 403",
    ),
    "C5": Rule(
        "note",
        "several challenges on one line, which some clients can't separate",
        "RFC 9110 §11.6.1",
        "send a line for each challenge",
    ),
    "C6": Rule(
        "note",
        "a scheme that isn't spelled as it is registered, which some clients compare with case",
        "RFC 9110 §11.1",
        "use the spelling of the IANA registry",
    ),
    "C7": Rule(
        "note",
        "insufficient_scope without the scopes that are needed",
        "RFC 6750 §3.1",
        "add scope to the challenge",
    ),
    "C8": Rule(
        "note",
        "a 429 or 503 without Retry-After",
        "RFC 6585 §4, RFC 9110 §15.6.4",
        "send Retry-After, in seconds",
    ),
    "C9": Rule(
        "warning",
        "a script is redirected to a login page",
        "RFC 9110 §15.5.2",
        "respond with 401 to scripts, and redirect only navigations",
    ),
    "C10": Rule(
        "error",
        "a realm that isn't quoted",
        "RFC 9110 §11.5",
        "write the realm as a quoted string",
    ),
    "C11": Rule(
        "warning",
        "a parameter or a value that the scheme doesn't define",
        "RFC 7617 §2, RFC 7616 §3.3, RFC 6750 §3",
        "leave the parameter out, or correct its value",
    ),
    "C12": Rule(
        "note",
        "a 503 with a challenge: clients may ask for other credentials",
        "RFC 9110 §15.6.4",
        "send no challenge if credentials can't be checked",
    ),
    "C13": Rule(
        "warning",
        "a 407, which is for proxies",
        "RFC 9110 §15.5.8",
        "respond with 401 and WWW-Authenticate",
    ),
    "C14": Rule(
        "error",
        "invalid credentials lead to a failure of the server",
        "RFC 9110 §11.4",
        "respond with 401, or with 400 to a malformed field",
    ),
    "C15": Rule(
        "warning",
        "invalid credentials get a status that isn't for them",
        "RFC 9110 §11.4",
        "respond with 401, or with 400 to a malformed field",
    ),
    "C16": Rule(
        "warning",
        "HEAD gets another status than GET",
        "RFC 9110 §9.3.2",
        "check credentials in the same way for HEAD and GET",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a response.

    Example:
        Read a finding::

            from flask_unauthorized.lint import Finding, lint

            finding: Finding = lint(401, {"Cache-Control": "no-store"})[0]
            assert (finding.id, finding.level, finding.see) == ("W1", "error", "RFC 9110 §15.5.2")

    Attributes:
        id: The id of the rule, such as ``"W1"``.
        level: ``"error"``, ``"warning"`` or ``"note"``.
        message: What is wrong.
        seen: What the response had, without secrets.
        fix: What to change.
        see: The section of the standard.
        method: The method of the request.
        path: The path of the request, without its query.
        status: The status of the response.
    """

    id: str
    level: Level
    message: str
    seen: str
    fix: str
    see: str
    method: str
    path: str
    status: int

    def __str__(self) -> str:
        seen = f" Seen: {self.seen}." if self.seen else ""
        where = f"{self.method} {self.path} -> {self.status}"
        return f"{self.level} {self.id}: {where}: {self.message}.{seen} Fix: {self.fix} ({self.see})."
