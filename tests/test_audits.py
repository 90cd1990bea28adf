"""Rows of docs/explanation/asvs.md that no other test shows: what auditors try by hand."""

import ast
import hashlib
import logging
import subprocess
import sys
import threading
from base64 import urlsafe_b64decode
from importlib.metadata import version
from itertools import count
from pathlib import Path

import pytest
from flask import request
from werkzeug.http import parse_cookie

import flask_unauthorized
from flask_unauthorized import Auth, Basic, Bearer, Identity, SessionCookie
from flask_unauthorized.loaders import Passwords
from flask_unauthorized.stores.memory import MemoryStore
from tests.helpers import bearer_header

PACKAGE = Path(flask_unauthorized.__file__).parent
KEY = "a secret of thirty-two characters"
HARDENED = {
    "SESSION_COOKIE_NAME": "__Host-session",
    "SESSION_COOKIE_SECURE": True,
    "SESSION_COOKIE_SAMESITE": "Lax",
}
SHOP = "https://shop.example"
METADATA = "/.well-known/oauth-protected-resource"
BODIES = ("text/html", "application/json", "application/problem+json", "text/plain")


@pytest.fixture
def site(make_app):
    """An app that knows people by a session and programs by a token, with a guarded and an open view."""

    def make(**config):
        cookie = SessionCookie(lambda name: Identity(name), login_view="login", store=MemoryStore(single_process=True))
        auth = Auth(cookie, Bearer({"good": Identity("ada")}.get), realm="shop")
        app = make_app(auth, SECRET_KEY=KEY, **config)
        app.add_url_rule("/", "index", auth.login_required(lambda: "in"))
        app.add_url_rule("/admin", "admin", auth.login_required(roles={"admin"})(lambda: "in"))
        app.add_url_rule("/page", "page", auth.login_required(via=cookie)(lambda: "in"))
        app.add_url_rule("/open", "open", lambda: "open")
        app.add_url_rule("/login", "login", auth.public(lambda: "form"))

        @app.post("/enter")
        @auth.public
        def enter():
            auth.login(request.form["name"], acr="mfa", amr={"pwd"})
            return "in"

        app.auth = auth
        return app

    return make


# --- cookies


@pytest.mark.asvs("V3.3.1", "V3.3.2", "V3.3.3", "V3.3.4")
def test_the_documented_settings_make_a_host_cookie(site):
    response = site(**HARDENED).test_client().post("/enter", base_url=SHOP, data={"name": "ada"})
    (line,) = response.headers.getlist("Set-Cookie")
    head, *attributes = line.split("; ")
    assert head.startswith("__Host-session=")
    # RFC 6265bis §4.1.3.2: Secure, Path=/ and no Domain.
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]


@pytest.mark.asvs("V3.3.5")
def test_the_cookie_of_a_login_with_a_long_name_stays_below_4096_bytes(site):
    name = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(4))  # the session is compressed
    response = site(**HARDENED).test_client().post("/enter", base_url=SHOP, data={"name": name})
    assert response.status_code == 200
    ((name, value),) = parse_cookie(response.headers["Set-Cookie"].partition(";")[0]).items()
    assert 256 < len(name) + len(value) < 1000


def session_ids(site, threads, logins):
    """Log users in, each once: very many logins of one user end all sessions of the user, which may begin just then."""
    app, found, numbers = site(), [], count()

    def enter():
        for _ in range(logins):
            client = app.test_client()
            assert client.post("/enter", data={"name": f"user {next(numbers)}"}).status_code == 200
            with client.session_transaction() as session:
                found.append(session["_unauthorized"]["sid"])

    running = [threading.Thread(target=enter) for _ in range(threads)]
    for one in running:
        one.start()
    for one in running:
        one.join(60)
    assert len(found) == threads * logins
    return found


@pytest.mark.asvs("V7.2.3", "V11.5.1", "V11.5.2")
def test_ids_of_sessions_have_128_random_bits_under_load(site):
    found = session_ids(site, 8, 25)
    assert len(set(found)) == 200
    numbers = [urlsafe_b64decode(sid + "==") for sid in found]
    assert {len(octets) for octets in numbers} == {16}
    # No counter and no clock: each bit is set in some ids only (by chance once in 2**190).
    values = [int.from_bytes(octets, "big") for octets in numbers]
    assert all(0 < sum(value >> bit & 1 for value in values) < 200 for bit in range(128))


# --- passwords


@pytest.mark.asvs("V6.2.8", "V6.2.9")
@pytest.mark.parametrize("method", ["pbkdf2:sha256:1", "scrypt:128:1:1", "argon2id:8:1:1"])
def test_each_of_201_characters_counts_and_so_does_case(method, make_app):
    if method.startswith("argon2id"):
        pytest.importorskip("argon2")
    password = "Correct horse 7 " * 12 + "battery!!"
    assert len(password) == 201
    passwords = Passwords({"ada": Passwords(lambda name: None, method=method).hash(password)}, method=method)
    auth = Auth(Basic(passwords))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    sent = {
        password: 200,
        password[:-1]: 401,
        password[:-1] + "?": 401,
        password[:64]: 401,
        password[:72]: 401,
        password.swapcase(): 401,
        password + " ": 401,
        " " + password: 401,
    }
    assert {one: app.test_client().get("/", auth=("ada", one)).status_code for one in sent} == sent


# --- what responses tell


@pytest.mark.asvs("V3.4.2")
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost"])
def test_no_origin_is_allowed_unless_the_app_allows_it(site, origin):
    client = site().test_client()
    for path, sent in (("/", {}), ("/", bearer_header("good")), ("/", bearer_header("bad")), ("/open", {})):
        for method in ("GET", "OPTIONS"):
            response = client.open(path, method=method, headers={"Origin": origin, **sent})
            assert not [name for name, _ in response.headers if name.startswith("Access-Control-Allow-")]


@pytest.mark.asvs("V13.4.4", "V4.1.4")
@pytest.mark.parametrize("path", ["/", "/open", "/login", METADATA])
@pytest.mark.parametrize("protected", [True, False])
def test_trace_is_405_or_refused_and_echoes_nothing(site, path, protected):
    app = site()
    app.auth.protected_resource("http://localhost", authorization_servers=["https://id.example"])
    if protected:
        app.auth.protect(app, public={"open"})
    for sent in ({}, bearer_header("good")):
        response = app.test_client().open(path, method="TRACE", headers={"X-Probe": "echo-of-the-probe", **sent})
        assert response.status_code == 405
        assert "echo-of-the-probe" not in response.text + str(response.headers)


@pytest.mark.asvs("V13.4.6")
def test_no_response_names_a_version(site):
    app = site()
    app.auth.protected_resource("http://localhost", authorization_servers=["https://id.example"])
    client = app.test_client()
    versions = {version(name) for name in ("flask-unauthorized", "flask", "werkzeug", "itsdangerous")}
    versions |= {sys.version.split()[0], "Werkzeug", "Flask", "flask_unauthorized", "Python"}
    requests = [("/", {}), ("/", bearer_header("bad")), ("/", bearer_header("a b")), ("/admin", bearer_header("good"))]
    responses = [
        client.get(METADATA),
        client.get("/page", headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}),
    ]
    responses += [client.get(path, headers={"Accept": one, **sent}) for one in BODIES for path, sent in requests]
    assert {response.status_code for response in responses} == {200, 302, 400, 401, 403}
    for response in responses:
        assert not {"Server", "X-Powered-By", "Via"} & set(response.headers.keys())
        told = response.text + str(response.headers)
        assert not [one for one in versions if one in told]


@pytest.mark.asvs("V13.4.5")
def test_nothing_is_published_that_was_not_declared(site):
    client = site().test_client()
    before = {rule.rule for rule in client.application.url_map.iter_rules()}
    assert before == {"/", "/admin", "/page", "/open", "/login", "/enter", "/static/<path:filename>"}
    assert client.get(METADATA).status_code == 404


# --- what runs in production


@pytest.mark.asvs("V15.2.3")
def test_an_app_loads_no_code_for_tests():
    program = (
        "import sys\n"
        "from flask import Flask\n"
        "from flask_unauthorized import Auth, Basic\n"
        "auth = Auth(Basic(lambda name, password: None))\n"
        "app = Flask('app')\n"
        "auth.init_app(app)\n"
        "app.add_url_rule('/', 'view', auth.login_required(lambda: 'in'))\n"
        "assert app.test_client().get('/').status_code == 401\n"
        "print(*{'pytest', 'unittest', 'hypothesis', 'flask_unauthorized.testing'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == ""


def loggers(source):
    """The names of the loggers that a module asks for, and its other ways to write."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.endswith("getLogger") and node.args:
                found.append(ast.literal_eval(node.args[0]))
            elif called == "print" or called.endswith((".addHandler", ".basicConfig", ".setLevel", "FileHandler")):
                found.append(called)
    return found


@pytest.mark.asvs("V16.2.3")
def test_the_package_writes_to_one_logger_and_adds_no_handler():
    command = PACKAGE / "lint" / "__main__.py"  # it writes to standard output, and isn't a part of an app
    modules = [path for path in PACKAGE.rglob("*.py") if path != command]
    found = {name for path in modules for name in loggers(path.read_text(encoding="utf-8"))}
    # The linter is for any WSGI app. Its logger is a child, which a set-up of the parent reaches.
    assert found == {"flask_unauthorized", "flask_unauthorized.lint"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import logging\nlog = logging.getLogger('other')", ["other"]),
        ("def f():\n    print('x')", ["print"]),
        ("log.addHandler(logging.FileHandler('x'))", ["log.addHandler", "logging.FileHandler"]),
    ],
)
def test_other_ways_to_write_are_found(source, expected):
    assert loggers(source) == expected


@pytest.mark.asvs("V16.2.3")
def test_all_records_are_of_that_logger(site, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    client = site().test_client()
    for path, sent in (("/", {}), ("/", bearer_header("good")), ("/", bearer_header("bad"))):
        client.get(path, headers=sent)
    assert {record.name for record in caplog.records} == {"flask_unauthorized"}
    assert capfd.readouterr() == ("", "")
