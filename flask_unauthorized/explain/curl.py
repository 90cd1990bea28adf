"""The command that sends the request of a case, with a variable such as ``$TOKEN`` in place of each credential.

Each variable says which credential the case needs: the shell stops with that text if the variable isn't set. A case
that no request of a client can lead to has a comment in place of a command.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from flask import Flask

from ..responses.diagnostics import curl_options_of
from ..runtime.flask_compat import request_context
from ..schemes.session.scheme import SessionCookie
from .cases import Case, Wanted
from .find_route import Target

_PLACEHOLDER: Final = re.compile(r"\b(?:TOKEN|NAME|PASSWORD|PROOF|SESSION_COOKIE|KEY|CREDENTIALS)\b")
"""The words that `Scheme.curl_options` has in place of credentials, and the one for a cookie of the session."""
_KINDS: Final = {"TOKEN": "token", "KEY": "key", "CREDENTIALS": "credentials"}
_NOT_PLAIN: Final = re.compile(r"[^\w .,:;/@()-]", re.ASCII)
"""What a shell may read as more than text, in what a variable says."""
SERVER: Final = "http://127.0.0.1:5000"
"""Where ``flask run`` serves."""


def curl_command(
    app: Flask, target: Target, case: Case, headers: Sequence[tuple[str, str]] = (), server: str | None = None
) -> str:
    """Return the command for a case, after a comment on what it needs; or a comment that there is none.

    Args:
        app: The app.
        target: Where the request goes.
        case: The case.
        headers: Further header lines.
        server: Scheme, host and port of the server; ``None`` for those of ``flask run``.
    """
    options = [*_credentials(app, case)]
    if not case.is_sendable:
        return f"# needs {case.needs}: no command"
    if case.sample.environ and not options:
        return f"# needs {' and '.join(case.sample.environ)}, which the server sets: no command"
    words = ["curl", "-i", *_method(case.method or target.method)]
    replaced = {name.lower() for name, _ in headers}
    lines = [*(line for line in case.headers if line[0].lower() not in replaced), *headers]
    words += [part for name, value in lines for part in ("-H", shlex.quote(f"{name}: {value}"))]
    words += [*options, shlex.quote(_address(target, case, server))]
    needs = "" if case.needs is None else f"# needs {case.needs}\n"
    return needs + " ".join(words)


def _address(target: Target, case: Case, server: str | None) -> str:
    base_url = target.base_url
    if server is not None:
        base_url = server
    elif base_url.endswith("://localhost"):
        base_url = base_url.replace("localhost", SERVER.partition("://")[2])
    if not case.https:
        base_url = base_url.replace("https://", "http://", 1)
    return f"{base_url}{target.path}" + (f"?{target.query}" if target.query else "")


def _method(method: str) -> tuple[str, ...]:
    if method == "GET":
        return ()
    return ("--head",) if method == "HEAD" else ("-X", shlex.quote(method))


def _credentials(app: Flask, case: Case) -> Iterator[str]:
    if case.scheme is None:
        return
    if case.wanted is None:
        # The samples themselves: they aren't secret, and their syntax is what matters.
        for name, value in case.sample.headers:
            yield from ("-H", shlex.quote(f"{name}: {value}"))
        for name, value in case.sample.query:
            yield from ("--url-query", shlex.quote(f"{name}={value}"))
        return
    with request_context(app):
        options = curl_options_of(case.scheme)
    for option in options:
        of_session = isinstance(case.scheme, SessionCookie)
        text = re.sub("=KEY$", "=SESSION_COOKIE", option) if of_session else option
        yield _quoted(text, case.wanted)


def _quoted(text: str, wanted: Wanted) -> str:
    """Return a word of the command. The shell replaces variables in it, and nothing else."""
    if _PLACEHOLDER.search(text) is None:
        return shlex.quote(text)

    def variable(found: re.Match[str]) -> str:
        return f"${{{found[0]}:?{_NOT_PLAIN.sub('?', _in_words(found[0], wanted))}}}"

    literal = re.sub(r'([\\"$`!])', r"\\\1", text)
    return f'"{_PLACEHOLDER.sub(variable, literal)}"'


def _in_words(name: str, wanted: Wanted) -> str:
    """Return which credential a variable stands for, such as "an expired token"."""
    after = f" {wanted.after}" if wanted.after else ""
    if name == "PROOF":
        return wanted.proof
    if name == "NAME":
        return f"the name of a user{after}"
    if name == "PASSWORD":
        return "a wrong password" if wanted.before == "invalid" else "the password of this user"
    if name == "SESSION_COOKIE":
        whose = {"invalid": "of a session that has ended", "valid": "of a user who is logged in"}.get(wanted.before, "")
        if wanted.after:
            whose = wanted.after if wanted.after.startswith("of ") else f"of a user {wanted.after}"
        return f"the value of a session cookie {whose}"
    words = f"{wanted.before} {_KINDS[name]}{after}".strip()
    if name == "CREDENTIALS":
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
