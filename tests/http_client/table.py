"""The page of faults, from what the tests measure: ``python -m tests.http_client.table`` writes it."""

from pathlib import Path

from .faults import FAULTS, INTROSPECTION_ONLY, KEYS_ONLY, REQUESTS, STORIES, Issuer, introspection, key_server

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"
COMMAND = "python -m tests.http_client.table"
_INTRODUCTION = f"""\
# What happens when the authorization server is …

The answers to our callers, the requests that the server gets, and the warnings in the log (`flask_unauthorized`, one a
minute at most besides the one on each refused request), as the tests measured them on a server that misbehaves on
purpose. `{COMMAND}` writes this page, and a test fails where it is stale.

In short: **our trouble is 503 with `Retry-After` and without a challenge, never 401: nobody throws a good token away or
logs in again because a key server is down. Who can be verified with the last good keys is let in.** No answer is
followed elsewhere, decompressed, read beyond 512 kB (keys, metadata) or 64 kB (introspection), or waited for longer
than the whole `timeout` (5 s and 2 s), however it drips. The look-up of the host's name is the one step that only the
system's resolver bounds.

An app starts while its key server is down: nothing is fetched before the first token comes.

## Keys (`JWKS`)

*First* is the fault before any key was fetched; *later* is the fault ten minutes after; *known* is a good token, whose
key was in the set, *unknown* one whose key id was not (it could be signed by a new key: nobody can say it is bad).
{REQUESTS} requests of each kind at one moment, so one fetch; the next come after 1, 2, 4 … 60 seconds.
"""
_KEYS = (
    "| the key server is … | first | fetches | later, known | later, unknown | fetches | the log says |\n"
    "|---|---|--:|---|---|--:|---|"
)
_STORIES = """
## Keys, over time

| the key server is … | answers | fetches | log |
|---|---|---|---|"""
_TOKENS = """
## Introspection

Five requests with one token that nothing is kept of. What answers, however badly, is asked for each token, so that
nobody's token can lock the others out; what is silent is left alone after the third time, for 1, 2, 4, 8, 10 seconds.
An outage is never kept: the first good answer counts. Answers that were kept serve on for their 60 seconds. `active`
that is missing or anything but `true` is no outage: 401.

| the endpoint is … | answers | requests | the log says |
|---|---|--:|---|"""


def page() -> str:
    """The page as it should be."""
    issuer = Issuer()
    lines = [_INTRODUCTION, _KEYS]
    for name, fault in (FAULTS | KEYS_ONLY).items():
        first, later = key_server(fault, issuer)
        assert first.log == later.log
        lines.append(_row(name, *first.answers, first.calls, *later.answers, later.calls, later.log))
    lines.append(_STORIES)
    lines += (_row(name, *story(issuer)) for name, story in STORIES.items())
    lines.append(_TOKENS)
    for name, fault in (FAULTS | INTROSPECTION_ONLY).items():
        seen = introspection(fault)
        lines.append(_row(name, *seen.answers, seen.calls, seen.log))
    return "\n".join(lines) + "\n"


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
