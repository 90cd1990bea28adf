"""The refusal as a page for people, with a separate part for the developer.

The page answers two questions of a visitor: what happened, and what to do now. It has no script, no form and nothing
from other addresses, so its Content-Security-Policy can forbid everything but its own style.

The words depend on three facts, in this order:

1. The kind of error: `ProblemDetails.message_key`.
2. The kind of credentials, as schemes declare it (``Scheme.credential_kind``): of those that were tried, else of those
   that the view accepts. A view that accepts only access tokens or API keys tells visitors that it is meant for
   programs, because a person cannot log in there.
3. What helps: a link to the login page, the browser's password box, or nothing but another account. Loading the page
   again is offered only if that may work. After a form was sent it would not, because the link sends a GET request
   without the form.

A message of the app replaces the built-in one; title and steps stay. The developer's part is in English, follows the
visitor's part and exists only with an `Explanation`.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Final

from ..errors.text import Text
from .problem import Explanation, ProblemDetails
from .translations import BUILT_IN_TRANSLATIONS, TEXT_KEYS, translate

# Colors have a contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3), in light and in dark mode.
_STYLE: Final = (
    ":root{color-scheme:light dark;--ink:#1c2330;--soft:#566074;--paper:#f4f5f8;--card:#fff;"
    "--line:#d9dde5;--link:#1d4fb8}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e8ebf1;--soft:#a5aec0;--paper:#12151b;--card:#1b1f28;"
    "--line:#333a48;--link:#8db4ff}}"
    "*{box-sizing:border-box}"
    "body{margin:0;min-height:100vh;background:var(--paper);color:var(--ink);"
    "font:1.0625rem/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;padding:6vh 1rem 3rem}"
    "main{max-width:40rem;margin:0 auto;background:var(--card);border:1px solid var(--line);border-radius:14px;"
    "padding:clamp(1.25rem,5vw,2.75rem)}"
    ".code{margin:0;font-weight:600;font-size:.95rem;letter-spacing:.04em;color:var(--soft)}"
    "h1{margin:.25rem 0 .75rem;font-size:clamp(1.6rem,5vw,2.1rem);line-height:1.2;overflow-wrap:anywhere}"
    "h2{margin:2rem 0 .5rem;font-size:1.05rem}p{margin:.5rem 0;overflow-wrap:anywhere}"
    "ul{margin:.5rem 0;padding-left:1.25rem}li{margin:.35rem 0;overflow-wrap:anywhere}"
    "a{color:var(--link);text-underline-offset:.15em}"
    "a:focus-visible{outline:3px solid var(--link);outline-offset:3px;border-radius:3px}"
    ".note{margin-top:2rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.95rem}"
    ".why{margin-top:2.25rem;padding-top:.25rem;border-top:3px solid var(--line)}"
    "dt{margin-top:.9rem;font-weight:600}dd{margin:.15rem 0 0;overflow-wrap:anywhere}"
    "pre{margin:.4rem 0;padding:.7rem .85rem;background:var(--paper);border:1px solid var(--line);border-radius:8px;"
    "white-space:pre-wrap;overflow-wrap:anywhere;font:.9rem/1.45 ui-monospace,Menlo,Consolas,monospace}"
    "code{font:.92em ui-monospace,Menlo,Consolas,monospace}"
)
STYLE_HASH: Final = "sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
"""For an app's own ``style-src``. If a policy blocks the style, the page is plain and has the same content."""
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


_STEP_FOR_PROGRAMS: Final = {"token": "do.token", "token_with_proof": "do.proof", "key": "do.key"}
"""What a program should send, by the kind of credentials. Other kinds are for people."""
_STATUS_NOTES: Final = {
    400: "Status 400 means that the credentials could not be read, so they were not checked.",
    401: "Status 401 means that the caller is unknown. A known caller without permission would get 403.",
    403: "Status 403 means that this is not allowed, and that logging in again does not help. An unknown caller would "
    "get 401.",
    429: "Status 429 means that the caller has to wait. It does not say whether the credentials are valid.",
    503: "Status 503 means that the credentials could not be checked. Nothing was rejected.",
}

Say = Callable[..., str]
"""Returns the escaped text of a key in the page's language."""


def render_html(
    problem: ProblemDetails,
    translations: Mapping[str, Mapping[str, Text]] = BUILT_IN_TRANSLATIONS,
    language: str = "en",
) -> str:
    """Render the page in one of the languages of ``translations``."""

    def say(key: str, **values: str) -> str:
        return escape(translate(translations, language, key, values))

    key = f"{problem.message_key}_{_credential_kind(problem)}"
    if f"{key}.title" not in TEXT_KEYS:
        key = problem.message_key
    title = say(f"{key}.title")
    message = escape(problem.message) if problem.has_own_message else say(f"{key}.message")
    steps = "".join(f"<li>{step}</li>" for step in _steps(problem, say))
    reload = f'<p><a href="">{say("again")}</a></p>\n' if _reloading_helps(problem) else ""
    note = f'<p class="note">{say("do.trust")}</p>\n' if problem.message_key == "cross_site" else ""
    # The status phrase is in English in every language, as the protocol defines it.
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title} ({problem.status})</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<p class="code" lang="en">{problem.status} {escape(problem.title)}</p>\n<h1>{title}</h1>\n<p>{message}</p>\n'
        f"<h2>{say('do')}</h2>\n<ul>{steps}</ul>\n{reload}{note}"
        f"{_developer_part(problem)}</main>\n</body>\n</html>\n"
    )


def _credential_kind(problem: ProblemDetails) -> str | None:
    """Return the kind of credentials that the page names; ``None`` if it speaks of a login in general."""
    if problem.tried_kind is not None and problem.message_key != "missing":
        return _named_kind(problem.tried_kind)
    if not problem.credential_kinds or not _STEP_FOR_PROGRAMS.keys() >= set(problem.credential_kinds):
        return None
    kinds = set(map(_named_kind, problem.credential_kinds))
    return kinds.pop() if len(kinds) == 1 else "program"


def _named_kind(kind: str) -> str:
    """Return the kind as the texts name it. They call a token with a proof a token; only its step differs."""
    return "token" if kind == "token_with_proof" else kind


def _is_for_programs(problem: ProblemDetails) -> bool:
    return _credential_kind(problem) in ("token", "key", "program")


def _reloading_helps(problem: ProblemDetails) -> bool:
    if problem.has_unsaved_input:
        return False
    if problem.status == 401:
        return problem.login_page is None and not _is_for_programs(problem)
    return problem.status in (429, 503)


def _steps(problem: ProblemDetails, say: Say) -> Iterator[str]:
    """Return what the reader can do now, as HTML."""
    if problem.status == 401:
        yield from (_steps_for_programs if _is_for_programs(problem) else _steps_to_log_in)(problem, say)
    elif problem.status in (429, 503):
        if problem.has_unsaved_input:
            yield say("do.send_later")
        yield _when_to_try_again(problem.retry_after, say)
    elif problem.status == 400:
        yield say("do.back")
        yield say("do.check")
    else:
        yield from _steps_to_get_access(problem, say)


def _steps_for_programs(problem: ProblemDetails, say: Say) -> Iterator[str]:
    if problem.message_key == "missing":
        yield say("do.back")
        yield from dict.fromkeys(say(_STEP_FOR_PROGRAMS[kind]) for kind in problem.credential_kinds)
    elif problem.message_key == "proof":
        yield say("do.proof")
    else:
        yield say("do.new_key" if _credential_kind(problem) == "key" else "do.new_token")


def _steps_to_log_in(problem: ProblemDetails, say: Say) -> Iterator[str]:
    kinds = problem.credential_kinds
    unsaved = problem.has_unsaved_input
    if problem.login_page is not None:
        yield f'<a href="{escape(problem.login_page)}">{say("do.login")}</a>'
    elif "password" in kinds:
        yield say("do.send_with_password" if unsaved else "do.password")
        unsaved = False
    elif "session" in kinds and not unsaved:
        yield say("do.login_first")
    if "sign_on" in kinds:
        yield say("do.sign_on")
    for name in dict.fromkeys(name for name, kind in zip(problem.schemes, kinds, strict=True) if kind == "login"):
        yield say("do.other", scheme=name)
    if unsaved:
        yield say("do.send_again")


def _steps_to_get_access(problem: ProblemDetails, say: Say) -> Iterator[str]:
    if problem.message_key == "cross_site":
        yield say("do.here")
        return
    scope = dict(problem.extension_members).get("scope")
    if scope is None:
        yield say("do.ask")
    else:
        yield say("do.token_scope" if _credential_kind(problem) == "token" else "do.scope", scope=str(scope))
    if not _is_for_programs(problem):
        yield say("do.other_account")


def _when_to_try_again(seconds: int | None, say: Say) -> str:
    """Return the wait in a unit that people read easily, rounded up and always in the plural."""
    if seconds is None:
        return say("do.wait")
    if seconds < 2:
        return say("do.wait_moment")
    if seconds < 120:
        return say("do.wait_seconds", seconds=str(seconds))
    if seconds <= 7200 - 60:
        return say("do.wait_minutes", minutes=str(-(-seconds // 60)))
    return say("do.wait_hours", hours=str(-(-seconds // 3600)))


def _developer_part(problem: ProblemDetails) -> str:
    explanation: Explanation | None = problem.explanation
    if explanation is None:
        return ""
    schemes = "".join(
        f"<dt><code>{escape(scheme.name)}</code></dt><dd>{escape(scheme.found)}</dd>"
        f"<dd><pre>{escape(scheme.command)}</pre></dd>"
        for scheme in explanation.schemes
    )
    return (
        '<section class="why" lang="en" aria-labelledby="why">\n<h2 id="why">Why (for the developer)</h2>\n'
        f"<p>{escape(explanation.reason)}</p>\n<p>{_STATUS_NOTES.get(problem.status, '')}</p>\n<dl>"
        f"<dt>What was sent</dt>{_code_lines(explanation.sent)}"
        f"<dt>What the view requires</dt>{_code_lines(explanation.required)}"
        f"<dt>Challenges in the response</dt>{_code_lines(explanation.challenges)}</dl>\n"
        f"<h2>Schemes in force: what each found, and what to send</h2>\n<dl>{schemes}</dl>\n"
        f'<p>See <a href="{escape(explanation.specification_url)}">{escape(explanation.specification)}</a>. '
        "This part is shown in debug mode or with <code>UNAUTHORIZED_EXPLAIN</code>. "
        "Never turn that on in production.</p>\n"
        "</section>\n"
    )


def _code_lines(lines: tuple[str, ...]) -> str:
    return "".join(f"<dd><code>{escape(line)}</code></dd>" for line in lines)
