"""``python -m flask_unauthorized.lint URL``: lint the refusals of a server."""

import argparse
import dataclasses
import http.client
import json
import re
import sys
from collections.abc import Sequence

from ..wire.grammar import is_token68
from .catalog import LEVELS, Finding
from .comparisons import compare
from .exchange import Exchange, on_one_line
from .probes import Client, probes
from .rules import lint_exchange

_SAFE = ("GET", "HEAD", "OPTIONS")
_DESCRIPTION = """\
Send up to nine requests to URL, without credentials and with wrong ones, and report what is wrong with the refusals.
No valid credentials are sent. A method other than GET is sent only if you name it: the first request has no
credentials, so it changes data if the URL is open."""

_NOTHING_CHECKED = """\
No refusal was seen, so nothing was checked: no response is a 401 or a 403. Is the URL open, or is its path wrong?
If that is right, add --fail-on never."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0, or 1 for findings of the level of ``--fail-on``. 2 for no response, or if no request was refused and nothing
        was found; with ``--fail-on never`` that is 0.
    """
    options = _parser().parse_args(arguments)
    try:
        client = Client(options.url, verify=not options.insecure)
        exchanges = _send_all(client, options)
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"{_without_secrets(options.url)}: {on_one_line(f'{error}') or type(error).__name__}", file=sys.stderr)
        return 2
    findings = _findings(exchanges)
    _print_json(findings) if options.json else _print_text(findings, exchanges)
    worst = max((LEVELS.index(finding.level) for finding in findings), default=-1)
    if options.fail_on == "never" or worst >= LEVELS.index(options.fail_on):
        return int(options.fail_on != "never")
    if _is_refused(exchanges):
        return 0
    print(_NOTHING_CHECKED, file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flask_unauthorized.lint", description=_DESCRIPTION)
    parser.add_argument("url", metavar="URL")
    parser.add_argument("--method", default="GET", type=str.upper, help="the method to send (default: GET)")
    parser.add_argument("--origin", default="https://spa.example", help="the origin of the CORS requests")
    parser.add_argument("--expired-token", metavar="TOKEN", type=_token, help="an expired Bearer token, sent once")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--fail-on", choices=[*LEVELS, "never"], default="error", help="exit with 1 from this level on")
    parser.add_argument("--insecure", action="store_true", help="don't verify the certificate of the server")
    return parser


def _token(text: str) -> str:
    if not is_token68(text):  # http.client would show it in its error.
        raise argparse.ArgumentTypeError("a token has letters, digits and -._~+/ only, and = at its end")
    return text


def _without_secrets(url: str) -> str:
    """Return a URL for a message: without user, password, query and fragment. Any text may be given as URL."""
    scheme, mark, rest = url.partition("://")
    host, slash, path = re.split("[?#]", rest if mark else url, maxsplit=1)[0].partition("/")
    return on_one_line(f"{scheme if mark else ''}{mark}{host.rpartition('@')[2]}{slash}{path.rpartition('@')[2]}")


def _send_all(client: Client, options: argparse.Namespace) -> dict[str, Exchange]:
    exchanges: dict[str, Exchange] = {}
    for probe in probes(options.method, options.origin, options.expired_token):
        said = ", ".join(name for name in probe.headers if name != "Accept") or "no credentials"
        if not options.json:
            print(f"sent: {probe.name}: {probe.method} with {said}", flush=True)
        exchanges[probe.name] = client.send(probe)
        if options.method not in _SAFE and exchanges["nothing"].status < 300:
            break  # The URL is open: other requests would change more data.
    document = client.metadata(exchanges)
    if document is not None:
        exchanges["metadata"] = document
        if not options.json:
            print("sent: metadata: GET without credentials")
    return exchanges


def _findings(exchanges: dict[str, Exchange]) -> list[Finding]:
    """Return the findings of all exchanges, each once: the first exchange that shows it is named."""
    found: dict[tuple[str, str], Finding] = {}
    together = compare(exchanges)
    for exchange in exchanges.values():
        for finding in lint_exchange(exchange):
            found.setdefault((finding.id, ""), finding)
    for finding in together:
        found.setdefault((finding.id, finding.seen), finding)
    return sorted(found.values(), key=lambda finding: -LEVELS.index(finding.level))


def _print_text(findings: list[Finding], exchanges: dict[str, Exchange]) -> None:
    print("got: " + ", ".join(f"{name} {exchange.status}" for name, exchange in exchanges.items()))
    for finding in findings:
        print(finding)
    print(f"{len(findings)} finding{'' if len(findings) == 1 else 's'}")


def _is_refused(exchanges: dict[str, Exchange]) -> bool:
    return any(exchange.status in (401, 403) for exchange in exchanges.values())


def _print_json(findings: list[Finding]) -> None:
    print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))


if __name__ == "__main__":
    sys.exit(main())
