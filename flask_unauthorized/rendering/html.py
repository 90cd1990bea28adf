"""The refusal as a page: what happened, what to do, and (for the developer) why. No script, nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from ..errors import Text
from .problem import Explanation, Facts
from .translations import BUILT_IN_TEXTS, text_of

# Colours have a contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3) in both schemes.
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
"""For an app's own ``style-src``. Where the style is refused, the page is plain and says the same."""
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(told: Facts, texts: Mapping[str, Mapping[str, Text]] = BUILT_IN_TEXTS, language: str = "en") -> str:
    """The whole page in one of the languages of ``texts``."""

    def say(key: str, **values: str) -> str:
        return escape(text_of(texts, language, key, values))

    title = say(f"{told.kind}.title")
    message = escape(told.message) if told.own_message else say(f"{told.kind}.message")
    steps = "".join(f"<li>{step}</li>" for step in _steps(told, say))
    if told.status == 401 and told.login_page is not None:
        steps = f'<li><a href="{escape(told.login_page)}">{say("do.login")}</a></li>{steps}'
    # Not after a POST: the link would GET an address that may not take it, and sends nothing of what was sent.
    repeats = told.status in (401, 429, 503) and not told.unsaved
    again = f'<p><a href="">{say("again")}</a></p>\n' if repeats else ""
    # The status phrase is the protocol's own, whatever the language.
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title} ({told.status})</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<p class="code" lang="en">{told.status} {escape(told.title)}</p>\n<h1>{title}</h1>\n<p>{message}</p>\n'
        f"<h2>{say('do')}</h2>\n<ul>{steps}</ul>\n{again}"
        f'<p class="note"><strong>{say("note")}.</strong> {say(f"note.{told.status}")}</p>\n'
        f"{_why(told.explanation)}</main>\n</body>\n</html>\n"
    )


def _steps(told: Facts, say: Any) -> Iterator[str]:
    """What to do now, as HTML."""
    if told.status == 400:
        yield say("do.check")
    if told.kind in ("invalid", "expired", "revoked", "step_up"):
        yield say("do.renew")
    if told.status == 401 and told.unsaved:
        yield say("do.send_again")
    if told.status == 401:
        yield from dict.fromkeys(_way(name, say) for name in told.schemes if name != "Cookie")
    scope = dict(told.details).get("scope")
    if scope is not None:
        yield say("do.scope", scope=str(scope))
    if told.status == 403:
        yield from (say("do.here"), say("do.trust")) if told.kind == "cross_site" else (say("do.ask"),)
    if told.status in (429, 503):
        yield say("do.wait") if told.retry_after is None else say("do.wait_seconds", seconds=str(told.retry_after))


def _way(scheme: str, say: Any) -> str:
    """How to use a scheme, for people."""
    key = _WAYS.get(scheme.lower())
    return str(say("do.other", scheme=scheme) if key is None else say(key))


_WAYS: Final = {
    "basic": "do.password",
    "digest": "do.password",
    "bearer": "do.token",
    "dpop": "do.proof",
    "apikey": "do.key",
}


def _why(explanation: Explanation | None) -> str:
    """The developer's part, in English."""
    if explanation is None:
        return ""
    schemes = "".join(
        f"<dt><code>{escape(scheme.name)}</code></dt><dd>{escape(scheme.said)}</dd><dd><pre>{escape(scheme.send)}</pre></dd>"
        for scheme in explanation.schemes
    )
    return (
        '<section class="why" lang="en" aria-labelledby="why">\n<h2 id="why">Why (for the developer)</h2>\n'
        f"<p>{escape(explanation.reason)}</p>\n<dl>"
        f"<dt>What came</dt>{_lines(explanation.sent)}<dt>What is demanded</dt>{_lines(explanation.demanded)}"
        f"<dt>What went out</dt>{_lines(explanation.challenges)}</dl>\n"
        f"<h2>The schemes in force, what each said, and what to send instead</h2>\n<dl>{schemes}</dl>\n"
        f'<p>See <a href="{escape(explanation.see)}">{escape(explanation.paragraph)}</a>. This part is shown in debug, '
        "or with <code>UNAUTHORIZED_EXPLAIN</code>; never switch it on in production.</p>\n</section>\n"
    )


def _lines(lines: tuple[str, ...]) -> str:
    return "".join(f"<dd><code>{escape(line)}</code></dd>" for line in lines)
