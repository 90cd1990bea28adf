"""The answers as text for terminals, as whole messages, as JSON, and as commands.

Whatever the app puts into a response may reach the terminal of the developer. So characters that aren't printable
become ``?`` in texts, and are escaped in JSON.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..audit.shown import file_of, printable
from ..policy.routes import Route
from .ask import Answer
from .cases import Case
from .find_route import Target

_FIRST: Final = ("www-authenticate", "location", "retry-after")
"""Fields that get a line of their own."""
_OTHERS: Final = ("allow", "set-cookie", "clear-site-data", "dpop-nonce", "authentication-info", "proxy-authenticate")
"""Further fields that bear on authentication. Those of CORS do as well."""
_NOTHING_DEMANDED: Final = "Nothing is demanded here: the view decides."


class Explanation(NamedTuple):
    """What each kind of caller of a route gets.

    Attributes:
        target: Where the requests went.
        route: The route.
        answers: Each case with its response.
        hooks: How many ``before_request`` functions of the app ran.
        root: The folder to which paths are relative.
    """

    target: Target
    route: Route
    answers: Sequence[tuple[Case, Answer]]
    hooks: int
    root: Path

    @property
    def shown_path(self) -> str:
        """The path with its query."""
        return self.target.path + (f"?{self.target.query}" if self.target.query else "")


def as_text(explanation: Explanation) -> str:
    """Return one block of lines for each case.

    Fields that don't bear on authentication are left out, and those that are as in the first response.
    """
    width = max(len(case.label) for case, _ in explanation.answers)
    lines = [*_head(explanation)]
    usual: str | None = None
    for case, answer in explanation.answers:
        status = "-" if answer.status is None else str(answer.status)
        others = _other_lines(answer)
        told = [*_first_lines(answer), *filter(None, [others if others != usual else ""]), *_note(answer)]
        told = told or ["no challenge"]
        usual = usual or others
        lines.append(f"{case.label.ljust(width)}  {status:>3}  {told[0]}".rstrip())
        lines += [f"{'':{width}}       {line}" for line in told[1:]]
    return "\n".join(map(printable, [*lines, "", *_foot(explanation)]))


def _head(explanation: Explanation) -> Iterator[str]:
    route, target = explanation.route, explanation.target
    file = file_of(route, explanation.root)
    place = "" if file is None else f"  ({file}:{route.line})"
    rule = "" if route.rule == target.path else f" {route.rule} →"
    yield f"{target.method} {explanation.shown_path} →{rule} {route.endpoint}{place}"
    if route.requirement is None:
        because = f" ({route.because})" if route.because else ""
        yield f"{route.state}{because}. {_NOTHING_DEMANDED}"
    else:
        yield f"{route.state}: {' · '.join(route.levels)}"
    yield ""


def _foot(explanation: Explanation) -> Iterator[str]:
    if any(answer.status is not None for _, answer in explanation.answers):
        yield "Header lines about authentication are shown. Those that the first response has as well are left out,"
        yield "except for challenges. --raw shows all lines."
    ran = f"{explanation.hooks} before_request" if explanation.hooks else "no before_request"
    yield f"The hooks of the app ran ({ran}). The view didn't run, and no loader, throttle or store was asked."
    if explanation.route.requirement is not None and explanation.route.requirement.unless:
        yield "Functions of unless= ran: what they returned here decided which levels hold."


def _first_lines(answer: Answer) -> Iterator[str]:
    for first in _FIRST:
        yield from (f"{name}: {value}" for name, value in answer.headers if name.lower() == first)


def _other_lines(answer: Answer) -> str:
    others = (line for line in answer.headers if line[0].lower().startswith(("access-control-", *_OTHERS)))
    return "   ".join(map(": ".join, others))


def _note(answer: Answer) -> Iterator[str]:
    if answer.note is not None:
        yield f"({answer.note})"


def as_messages(explanation: Explanation) -> str:
    """Return each response as a whole message (RFC 9112 §2.1), with the end of each header line made visible."""
    blocks = []
    for case, answer in explanation.answers:
        lines = [f"# {case.label}"]
        if answer.status is None:
            lines.append(f"({answer.note})")
        else:
            head = [
                f"HTTP/1.1 {answer.status} {answer.reason}",
                *(f"{name}: {value}" for name, value in answer.headers),
            ]
            lines += [f"{line}\\r\\n" for line in (*head, "")]
            lines += (answer.body or b"").decode(errors="replace").splitlines()
        blocks.append("\n".join(map(printable, lines)))
    return "\n\n".join(blocks)


def as_json(explanation: Explanation) -> str:
    """Return the answers as JSON, with stable keys in a stable order."""
    document: dict[str, Any] = {
        "version": 1,
        "method": explanation.target.method,
        "path": explanation.shown_path,
        "rule": explanation.route.rule,
        "endpoint": explanation.route.endpoint,
        "state": explanation.route.state,
        "cases": [
            {
                "name": case.name,
                "status": answer.status,
                "headers": [list(line) for line in answer.headers],
                "body": None if answer.body is None else answer.body.decode(errors="replace"),
                "note": answer.note,
            }
            for case, answer in explanation.answers
        ],
    }
    return json.dumps(document, indent=2)
