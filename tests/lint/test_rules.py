"""What the linter says of a single exchange. Each finding is shown where it must be, and where it must not be."""

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_unauthorized.lint import lint
from flask_unauthorized.lint.catalog import LEVELS, RULES

httplint = pytest.importorskip("httplint")

NO_STORE = ("Cache-Control", "no-store")
CORS = ("Access-Control-Allow-Origin", "https://spa.example")
CHALLENGE = ("WWW-Authenticate", 'Bearer realm="a"')
PREFLIGHT = {"Origin": "https://spa.example", "Access-Control-Request-Method": "GET"}


def ids(status, *lines, headers=(NO_STORE,), **more):
    told = [("WWW-Authenticate", line) for line in lines]
    return {finding.id for finding in lint(status, [*told, *headers], **more)}


@pytest.mark.parametrize(
    ("status", "lines", "expected"),
    [
        (401, [], {"W1"}),
        (401, [""], {"W1"}),
        (401, [" , "], {"W1"}),
        (401, ['Bearer realm="a"'], set()),
        (403, [], set()),
        (200, [], set()),
        (401, ['Basic realm="the "shop""'], {"W2"}),
        (401, ['Bearer realm="a" error="b"'], {"W2"}),
        (401, ['Bearer realm="a'], {"W2"}),
        (401, ['Bearer realm="a\\"b"'], set()),
        (401, ["Bearer"], {"W3"}),
        (401, ["Basic"], {"W3"}),
        (401, ["Digest"], {"W3"}),
        (401, ["Bearer abc="], {"W3"}),
        (401, ['Digest realm="a", nonce="n"'], {"W3"}),
        (401, ['Digest realm="a", nonce="n", qop="auth"'], set()),
        (401, ["Negotiate"], set()),
        (401, ["FormBased"], set()),  # no RFC demands a parameter of a scheme that it doesn't know
        (401, ['Bearer error="insufficient_scope"'], {"W5"}),
        (403, ['Bearer error="insufficient_scope", scope="a"'], set()),
        (401, ['Bearer realm="a", realm="b"'], {"W16"}),
        (401, ['Bearer realm="a"', 'Bearer realm="a"'], {"W16"}),
        (401, ['Bearer realm="a"', 'Bearer realm="b"'], set()),
        (401, ['Custom realm="a"', 'Custom realm="a"'], set()),  # its own specification decides
        (401, [f'Digest realm="a", nonce="n", qop="auth", algorithm={name}' for name in ("SHA-256", "MD5")], set()),
        (401, ['Bearer resource_metadata="/x"'], {"W14"}),
        (401, ['Bearer resource_metadata="http://a.example/x"'], {"W14"}),
        (401, ['Bearer resource_metadata="https://ada@a.example/x"'], {"W14"}),
        (401, ['Bearer resource_metadata="https://a.example/x#y"'], {"W14"}),
        (401, ['Bearer resource_metadata="http://127.0.0.1:5000/x"'], set()),
        (401, ['Bearer resource_metadata="https://a.example/.well-known/oauth-protected-resource"'], set()),
        (401, ['Bearer realm="a", error_description="say \\"x\\""'], {"C3"}),
        (401, ['Bearer realm="a", error_description=""'], set()),
        (401, ['Bearer realm="caf\xe9"'], {"C3"}),
        (403, ['Bearer error="invalid_token"'], {"C4"}),
        (401, ['Bearer error="invalid_request"'], {"C4"}),
        (400, ['Bearer error="insufficient_scope"'], {"C4"}),
        (401, ['Basic realm="a", Bearer realm="b"'], {"C5"}),
        (401, ['Dpop realm="a"'], {"C6"}),
        (403, ['Bearer error="insufficient_scope"'], {"C7"}),
        (401, ["Bearer realm=a"], {"C10"}),
        (401, ['Basic realm="a", title="b"'], {"C11"}),
        (401, [f'Basic realm="{"a" * 300}"'], set()),
        (407, [], {"C13"}),
    ],
)
def test_what_the_lines_of_a_response_show(status, lines, expected):
    assert ids(status, *lines) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"request_headers": {}}, {"W4"}),
        ({"request_headers": {"User-Agent": "curl", "Host": "a.example", "Accept": "*/*"}}, {"W4"}),
        ({"request_headers": None}, set()),
        ({"request_headers": {"Authorization": "Bearer wrong"}}, set()),
        ({"request_headers": {"Cookie": "a=b"}}, set()),
        ({"request_headers": {"X-Api-Key": "b"}}, set()),
        ({"request_headers": {}, "query": "access_token=a"}, set()),
        ({"request_headers": {}, "query": "page=2"}, {"W4"}),
        ({"request_headers": {}, "method": "POST"}, set()),  # the body may hold a token
    ],
)
def test_an_error_code_is_wrong_only_if_surely_nothing_was_sent(sent, expected):
    assert ids(401, 'Bearer error="invalid_token"', **sent) == expected
    assert ids(401, 'DPoP error="use_dpop_nonce"', **sent) == set()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}, set()),
        ({"X-Requested-With": "XMLHttpRequest"}, set()),
        ({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}, {"C5"}),
        ({"Sec-Fetch-Mode": "cors"}, {"C5"}),  # Node's fetch
        ({}, {"C5"}),
        (None, {"C5"}),
    ],
)
def test_scripts_in_browsers_get_one_line_anyway(sent, expected):
    """``Headers.get`` of the Fetch standard joins the lines of a field by a comma and a space."""
    assert ids(401, 'Basic realm="a", Bearer realm="b"', request_headers=sent) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"connect ECONNREFUSED 10.0.0.1:5432", {"W7"}),
        (b"Traceback (most recent call last):", {"W7"}),
        (b"Your session has timed out", {"W7"}),
        (b"The token is not valid.", set()),
        (None, set()),
    ],
)
def test_a_failure_of_the_server_in_the_body(body, expected):
    assert ids(401, 'Bearer realm="a"', body=body) == expected
    assert ids(503, body=body, headers=(NO_STORE, ("Retry-After", "1"))) == set()


def test_preflights():
    for status, expected in ((401, {"W11"}), (407, {"W11", "C13"}), (403, set()), (200, set())):
        assert ids(status, method="OPTIONS", request_headers=PREFLIGHT, headers=()) == expected
    assert ids(401, method="OPTIONS", request_headers={"Origin": "https://spa.example"}) == {"W1"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([CORS], {"W12"}),
        ([CORS, ("Access-Control-Expose-Headers", "X-Other")], {"W12"}),
        ([CORS, ("Access-Control-Expose-Headers", "x-other, www-authenticate")], set()),
        ([CORS, ("Access-Control-Expose-Headers", "*")], set()),
        ([CORS, ("Access-Control-Expose-Headers", "*"), ("Access-Control-Allow-Credentials", "true")], {"W12"}),
        ([CORS, ("Access-Control-Expose-Headers", "WWW-Authenticate"), ("DPoP-Nonce", "n")], {"W12"}),
        ([], set()),
    ],
)
def test_scripts_of_other_origins_read_what_is_exposed(headers, expected):
    assert ids(401, 'Bearer realm="a"', headers=[NO_STORE, *headers]) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], {"C1"}),
        ([("Cache-Control", "private")], {"C1"}),
        ([("Cache-Control", "max-age=0")], {"C1"}),
        ([("Expires", "0")], {"C1"}),
        ([("Cache-Control", "public, max-age=600")], {"C2"}),
        ([("Cache-Control", "max-age=600")], {"C2"}),
        ([("Expires", "Thu, 01 Dec 2033 16:00:00 GMT")], {"C2"}),
        ([("Date", "Thu, 01 Dec 2033 16:00:00 GMT"), ("Expires", "Thu, 01 Dec 2033 16:00:00 GMT")], {"C1"}),
        ([("Cache-Control", "public"), ("Vary", "Authorization")], {"C1"}),
        ([("Cache-Control", "public"), ("Vary", "*")], {"C1"}),  # RFC 9110 §12.5.5: it matches no other request
        ([("Cache-Control", "public"), ("Cache-Control", "no-store")], set()),
    ],
)
def test_caching(headers, expected):
    assert ids(401, 'Bearer realm="a"', headers=headers) == expected


def test_a_plain_403_needs_no_no_store():
    assert ids(403, headers=()) == set()


def test_when_to_come_back():
    for status in (429, 503):
        assert ids(status) == {"C8"}
        assert ids(status, headers=(("Retry-After", "1"),)) == set()
    assert ids(503, 'Bearer realm="a"', headers=(("Retry-After", "1"),)) == {"C12"}


@pytest.mark.parametrize(
    ("sent", "location", "expected"),
    [
        ({"Sec-Fetch-Mode": "cors"}, "/login?next=/a", {"C9"}),
        ({"X-Requested-With": "XMLHttpRequest"}, "https://id.example/sso", {"C9"}),
        ({"Sec-Fetch-Mode": "navigate"}, "/login", set()),
        ({"Sec-Fetch-Mode": "cors"}, "/notes/1", set()),
        ({}, "/login", set()),
    ],
)
def test_a_script_is_not_led_to_a_login_page(sent, location, expected):
    assert ids(302, headers=(("Location", location),), request_headers=sent) == expected


def test_all_rules_have_a_level_and_a_source():
    assert all(rule.level in LEVELS and rule.see and rule.fix for rule in RULES.values())


def test_a_finding_says_what_where_and_how_to_repair_it():
    (finding,) = lint("401 UNAUTHORIZED", [NO_STORE], method="get", path="/notes?page=2")
    assert (finding.id, finding.level, finding.method, finding.path, finding.status) == (
        "W1", "error", "GET", "/notes", 401,
    )  # fmt: skip
    assert str(finding) == (
        "error W1: GET /notes -> 401: a 401 without a challenge. Fix: send WWW-Authenticate with each 401, such as "
        'Bearer realm="api" (RFC 9110 §15.5.2).'
    )


# --- secrets

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("line", "sent", "query", "secrets"),
    [
        ("Bearer wrong hunter2", {"Authorization": "Bearer hunter2"}, "", ["hunter2"]),
        ("Basic ada pa55 x", {"Authorization": "Basic YWRhOnBhNTU="}, "", ["pa55", "YWRhOnBhNTU="]),
        ("Bearer sess1on x", {"Cookie": "session=sess1on; a=b"}, "", ["sess1on"]),
        ("Bearer k3yk3y x", {"X-Api-Key": "k3yk3y"}, "", ["k3yk3y"]),
        ("Bearer qu3ry x", {}, "access_token=qu3ry", ["qu3ry"]),
        ("Bearer a/b+c x", {}, "token=a%2Fb%2Bc", ["a/b+c"]),
        ("Bearer hun/ter2 x", {"Cookie": "session=hun%2Fter2"}, "", ["hun/ter2"]),
        (f'Bearer error_description="{JWT}" x', None, "", [JWT, JWT[:20], JWT[-15:]]),
        ('Digest realm="a", nonce="N0nce", opaque=0paque, qop="auth" x', None, "", ["N0nce", "0paque"]),
        ("Bearer hunter2-and-more x", {"X-Api-Key": "hunter2-and-more", "Cookie": "a=hunter2"}, "", ["-and-more"]),
        ('Bearer resource_metadata="https://ada:pa55@a.example/"', None, "", ["pa55"]),
    ],
)
def test_no_secret_stands_in_a_finding(line, sent, query, secrets):
    found = lint(401, [("WWW-Authenticate", line)], request_headers=sent, query=query, path="/hunter2/k3yk3y")
    assert found
    text = " ".join(map(repr, found)) + " ".join(map(str, found))
    assert "…" in text  # The line stands in a finding, so it was redacted.
    assert [secret for secret in secrets if secret in text] == []


def test_control_characters_and_long_lines_are_not_shown_as_they_are():
    (found, *_) = lint(401, [("WWW-Authenticate", "Bearer \x1b[31m " + "x " * 5000)])
    assert "\x1b" not in str(found)
    assert len(found.seen) <= 300


# --- a second opinion

PIECES = st.sampled_from(
    ["Bearer", "Basic", " ", ",", "=", '"', "\\", "realm", 'realm="a"', 'error="b"', "a", "b=c", "x68==", "é", "\t"]
)


def _complains(line):
    linter = httplint.HttpResponseLinter()
    linter.process_response_topline(b"HTTP/1.1", b"401", b"Unauthorized")
    linter.process_headers([(b"WWW-Authenticate", line.encode("latin-1"))])
    linter.finish_content(True)
    return any(type(note).__name__ == "BAD_SYNTAX_DETAILED" for note in linter.notes)


@given(st.lists(PIECES, min_size=1, max_size=8).map("".join))
@example('Basic realm="the "shop""')
@example('Bearer realm="a", error="b"')
@example('Bearer realm="a" error="b"')
@example('Bearer, realm="a"')
@example('Bearer , realm="a"')
def test_httplint_complains_of_the_same_lines(line):
    """A known difference: httplint doesn't mind a parameter that occurs twice, which is W16 here."""
    line = line.strip(" \t,")
    if not line:
        return
    found = lint(401, [("WWW-Authenticate", line)])
    w2 = any(finding.id == "W2" for finding in found)
    if any(finding.id == "W16" for finding in found):
        return
    assert w2 == _complains(line), found


def test_the_package_imports_the_standard_library_only():
    program = (
        "import sys; before = {*sys.modules}; import flask_unauthorized.lint, flask_unauthorized.lint.__main__; "
        "print(*{name.partition('.')[0] for name in {*sys.modules} - before})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    foreign = {name for name in done.stdout.split() if name not in sys.stdlib_module_names}
    assert foreign == {"flask_unauthorized"}
