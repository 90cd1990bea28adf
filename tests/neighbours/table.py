"""The page of the neighbours, made from what the tests capture: ``python -m tests.neighbours.table`` writes it."""

import inspect
import logging
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .harness import CHALLENGE, FLASKS_OWN_PAGE, Answer, Ask, Neighbour, answer, neighbours, served

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "evidence" / "neighbours.md"
COMMAND = "python -m tests.neighbours.table"
_INTRODUCTION = f"""\
# Neighbours

This page shows what happens to an app that uses another extension when one line is added, `auth.init_app(app)`. It also
shows how to use both extensions.

- The tables show what the tests captured. Each request was sent to the app without the line and with it. The line stood
  before the other extension's set-up, and then after it.
- The tests run the programs, too. `load` is your loader: it takes a token and returns an `Identity` or `None`. The
  imports and the code around the programs are in `tests/neighbours`.
- `{COMMAND}` writes this page, and a test fails if it is stale.

In short: **a 401 without a valid challenge gets one. A valid challenge of other code stays. Every 401 becomes
`no-store`, with `Authorization` in `Vary`. Everything else stays as it was, byte for byte.** There are three
exceptions:

- Flask's own error page becomes the extension's negotiated body (JSON, problem details, HTML or text).
- In a challenge that stays, the scheme is spelled as it is registered, and an optional parameter that breaks its rules
  is left out.
- A 401 that is made outside of Flask stays as it is. Connexion 3 does that, and its section shows a solution.

Guards judge after all `before_request` functions and before all other decorators of a view. So what another extension
does in such a function comes first, such as a limit, a redirect to HTTPS, or a check for CSRF.

`current_user`, `current_identity` and `auth.get_identity()` know the caller wherever another extension asks: in the key
of a limit or of a cache, in a locale selector, in a menu, on error pages. The first question verifies the credentials,
and the guard uses the same result. A question refuses no request, so invalid credentials count as none.

The documents that flask-smorest, APIFlask, flask-openapi3 and flask-restx write can say what the guards demand. See
[Document your API with OpenAPI](../guides/openapi.md#with-a-library).

The extensions below may be set up before `auth.init_app(app)` or after it. Where another order matters, the section
says so.
"""
_COLUMNS = "| 401s | challenge before | with the line | body | other headers |\n|---|---|---|---|---|"
_SUMMARY = (
    "| neighbour | requests | of them 401 | challenge added or repaired | own challenge stays "
    "| outside of Flask, as before | negotiated body |\n|---|--:|--:|--:|--:|--:|--:|"
)


def page() -> str:
    """The page as it should be."""
    parts = [_INTRODUCTION, "\n".join([_SUMMARY, *map(_summary, neighbours())]) + "\n"]
    shown: set[object] = set()
    for neighbour in neighbours():
        parts += _section(neighbour, neighbour.together not in shown)
        shown.add(neighbour.together)
    return "\n".join(parts)


@cache
def _pairs(neighbour: Neighbour) -> list[tuple[Ask, Answer, Answer]]:
    """The requests, with the answers before and after."""
    return [(ask, *(answer(served(neighbour, line), ask) for line in ("none", "last"))) for ask in neighbour.asks]


def _summary(neighbour: Neighbour) -> str:
    refused = [pair for pair in _pairs(neighbour) if pair[2].status == 401]
    outside = sum(ask.outside for ask, _, _ in refused)
    kept = sum(before.lines(CHALLENGE) == after.lines(CHALLENGE) for _, before, after in refused) - outside
    ours = sum(before.body != after.body for _, before, after in refused)
    cells = (neighbour.name, len(neighbour.asks), len(refused), len(refused) - kept - outside, kept, outside, ours)
    return "| " + " | ".join(map(str, cells)) + " |"


def _section(neighbour: Neighbour, with_program: bool) -> Iterator[str]:
    yield f"## {neighbour.name}\n"
    tested = f"Tested with `{required_version(neighbour.package)}`. " if neighbour.package else ""
    yield f"{tested}{neighbour.advice}\n"
    pairs = _pairs(neighbour)
    yield "\n".join([_COLUMNS, *(_row(*pair) for pair in pairs if pair[2].status == 401)]) + "\n"
    same = [f"{ask.title} ({after.status})" for ask, before, after in pairs if before == after]
    if same:
        yield f"Unchanged, byte for byte: {'; '.join(same)}.\n"
    if with_program:
        yield f"Both in one app:\n\n```python\n{inspect.getsource(neighbour.together)}```\n"


def _row(ask: Ask, before: Answer, after: Answer) -> str:
    was, now = (_lines(one) for one in (before, after))
    cells = (ask.title, was, "the same" if was == now else now, _body(before, after), _others(before, after))
    return "| " + " | ".join(cells) + " |"


def _lines(one: Answer) -> str:
    lines = one.lines(CHALLENGE)
    return "<br>".join(f"`{line}`" for line in lines) if lines else "none"


def _body(before: Answer, after: Answer) -> str:
    kind = after.lines("Content-Type")[0].partition(";")[0]
    if before.body == after.body:
        return f"the same (`{kind}`)" if after.body else "the same (empty)"
    assert before.body == FLASKS_OWN_PAGE
    return f"Flask's page becomes a negotiated body (`{kind}`)"


def _others(before: Answer, after: Answer) -> str:
    """The other headers that differ; those of a body that was exchanged go without saying."""
    differ = {name for name, value in set(before.headers) ^ set(after.headers)}
    changed = {name for name in differ if name.lower() != CHALLENGE.lower()}
    if before.body != after.body:
        changed = {name for name in changed if not name.startswith(("Content-", "X-Content-"))}
    return ", ".join(f"`{name}: {', '.join(after.lines(name))}`" for name in sorted(changed)) or "the same"


def required_version(package: str) -> str:
    """What the extra asks for."""
    extra = (
        (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("\nneighbours = [")[2].partition("]\ndev")[0]
    )
    found = re.search(rf'"({re.escape(package)}(?:\[[a-z]+\])?[><=~!][^";]*)[;"]', extra)
    assert found is not None, f"{package} is not in the extra"
    return found[1]


if __name__ == "__main__":
    logging.disable()  # the guard tells every repair
    PAGE.write_text(page(), encoding="utf-8")
