"""A parser of challenges that isn't ours: httplint's."""

from httplint import HttpResponseLinter


def independent(*lines: str) -> list[tuple[str, dict[str, str]]]:
    """The challenges of ``WWW-Authenticate`` lines as httplint reads them; parameter names in lower case."""
    linter = HttpResponseLinter()
    linter.process_response_topline(b"HTTP/1.1", b"401", b"Unauthorized")
    linter.process_headers([(b"WWW-Authenticate", line.encode("latin-1")) for line in lines])
    linter.finish_content(True)
    found = linter.headers.parsed.get("www-authenticate", [])
    return [(scheme, _params(told)) for scheme, told in found]


def _params(told: object) -> dict[str, str]:
    """Nothing for a token68, which httplint gives as it is."""
    return {name.lower(): value for name, value in told.items()} if isinstance(told, dict) else {}
