"""The command that sends the request of a case, with a variable such as ``$TOKEN`` in place of each credential."""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from flask import Flask

from ..responses.diagnostics import curl_options_of
from .cases import Case
from .find_route import Target

_PLACEHOLDER: Final = re.compile(r"\b(?:TOKEN|NAME|PASSWORD|PROOF|KEY|CREDENTIALS)\b")
"""The words that `Scheme.curl_options` has in place of credentials."""
_SERVER: Final = "127.0.0.1:5000"
"""Where ``flask run`` serves."""


def curl_command(app: Flask, target: Target, case: Case, headers: Sequence[tuple[str, str]] = ()) -> str:
    """Return the command for a case.

    Args:
        app: The app.
        target: Where the request goes.
        case: The case.
        headers: Further header lines.
    """
    method = case.method or target.method
    words = ["curl", "-i", *_method(method)]
    replaced = {name.lower() for name, _ in headers}
    lines = [*(line for line in case.headers if line[0].lower() not in replaced), *headers]
    words += [part for name, value in lines for part in ("-H", shlex.quote(f"{name}: {value}"))]
    words += _credentials(app, case)
    scheme, _, host = target.base_url.partition("://")
    address = f"{scheme if case.https else 'http'}://{_SERVER if host == 'localhost' else host}{target.path}"
    return " ".join([*words, shlex.quote(address + (f"?{target.query}" if target.query else ""))])


def _method(method: str) -> tuple[str, ...]:
    if method == "GET":
        return ()
    return ("--head",) if method == "HEAD" else ("-X", shlex.quote(method))


def _credentials(app: Flask, case: Case) -> Iterator[str]:
    if case.scheme is None:
        return
    if case.name.endswith("-malformed") or case.name == "two-credentials":
        # The samples themselves: they aren't secret, and their syntax is what matters.
        for name, value in case.sample.headers:
            yield from ("-H", shlex.quote(f"{name}: {value}"))
        for name, value in case.sample.query:
            yield from ("--url-query", shlex.quote(f"{name}={value}"))
        return
    with app.test_request_context():
        options = curl_options_of(case.scheme)
    for option in options:
        yield _quoted(option)


def _quoted(text: str) -> str:
    """Return a word of the command. The shell replaces variables in it, and nothing else."""
    if _PLACEHOLDER.search(text) is None:
        return shlex.quote(text)
    literal = re.sub(r'([\\"$`!])', r"\\\1", text)
    return f'"{_PLACEHOLDER.sub(lambda found: f"${{{found[0]}}}", literal)}"'
