"""``flask unauthorized explain``: arguments, options, exit status, and what is printed."""

import json
import os
import re
import shlex
import socket
import subprocess
from pathlib import Path

import pytest
from flask import Flask, request
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.datastructures import CallbackDict
from werkzeug.routing import BaseConverter

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Challenge,
    MalformedCredentials,
    Scheme,
    SessionCookie,
)
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.loaders.jwt import JWT
from flask_unauthorized.schemes.remote_user import RemoteUser

KEY = "a secret of thirty-two characters"


def refuse(*_, **__):
    raise AssertionError("this must not run")


def make_app(*schemes, guard=None, rule="/notes", methods=("GET",), realm="notes", **config):
    """Return an app with one guarded rule, whose view must not run."""
    app = Flask("shop", static_folder=None)
    app.config.update(SECRET_KEY=KEY, **config)
    auth = Auth(*(schemes or (Bearer(refuse),)), app=app, realm=realm)
    app.add_url_rule(rule, "notes", (guard or (lambda auth: auth.login_required))(auth)(refuse), methods=methods)
    return app


def document(explain, app, *arguments):
    code, output = explain(app, "--json", *arguments)
    assert code == 0, output
    return json.loads(output)


def names(explain, app, method="GET", path="/notes"):
    return [case["name"] for case in document(explain, app, method, path)["cases"]]


# --- the output


def test_the_table(explain):
    code, output = explain(make_app(guard=lambda auth: auth.login_required(scopes={"notes:read"})), "GET", "/notes")
    assert code == 0
    head, levels, *lines = output.splitlines()
    assert head.startswith("GET /notes → notes  (")
    assert head.endswith(f"test_command.py:{refuse.__code__.co_firstlineno})")
    assert levels == "guarded: @auth.login_required(scopes=['notes:read'])"
    assert 'nothing sent                      401  WWW-Authenticate: Bearer realm="notes"' in lines
    assert any(line.startswith("Bearer: without scope notes:read  403") for line in lines)
    assert "loader or store unavailable       503  Retry-After: 5" in lines
    assert "valid credentials                   -  (let through: the view decides)" in lines
    assert lines[-1].endswith("The view didn't run, and no loader, throttle or store was asked.")


def test_json_has_stable_keys(explain):
    found = document(explain, make_app(), "get", "/notes?a=1", "--case", "nothing")
    assert [*found] == ["version", "method", "path", "rule", "endpoint", "state", "cases"]
    cases = found.pop("cases")
    assert found == {
        "version": 1, "method": "GET", "path": "/notes?a=1", "rule": "/notes", "endpoint": "notes", "state": "guarded",
    }  # fmt: skip
    assert [[*case] for case in cases] == [["name", "status", "headers", "body", "note"]]
    assert ["WWW-Authenticate", 'Bearer realm="notes"'] in cases[0]["headers"]
    assert json.loads(cases[0]["body"])["error"] == "Unauthorized"


def test_raw_shows_the_whole_message(explain):
    code, output = explain(make_app(), "GET", "/notes", "--raw", "--case", "nothing")
    assert code == 0
    lines = output.splitlines()
    assert lines[:2] == ["# nothing sent", "HTTP/1.1 401 UNAUTHORIZED\\r\\n"]
    assert 'WWW-Authenticate: Bearer realm="notes"\\r\\n' in lines
    assert "\\r\\n" in lines
    assert lines[-1].startswith('{"error": "Unauthorized"')


def test_curl_sends_variables_and_no_secret(explain):
    app = make_app(Bearer(refuse), Basic(refuse), APIKey(refuse, header="X-Key"), methods=["POST"], rule="/a'$(id)`")
    code, output = explain(app, "POST", "/a'$(id)`", "--curl", "--as", "X-Note: $(id)")
    assert code == 0
    lines = output.splitlines()
    commands = dict(zip((line[2:] for line in lines[::2]), lines[1::2], strict=True))
    assert '-H "Authorization: Bearer ${TOKEN:?an invalid token}"' in commands["Bearer: invalid"]
    assert '-u "${NAME:?the name of a user}:${PASSWORD:?a wrong password}"' in commands["Basic: invalid"]
    assert commands.pop("loader or store unavailable").startswith("# needs an outage ")
    for command in commands.values():
        words = shlex.split(command)
        assert words[:4] == ["curl", "-i", "-X", "OPTIONS" if words[3] == "OPTIONS" else "POST"]
        assert "X-Note: $(id)" in words
        assert words[-1] == "http://127.0.0.1:5000/a'$(id)`"


def run_in_shell(command, **variables):
    """Run a command with a `curl` that prints its arguments."""
    script = "curl() { for word; do printf '%s\\n' \"$word\"; done; }\n" + command
    done = subprocess.run(
        ["sh", "-c", script], env={"PATH": os.environ["PATH"], **variables}, capture_output=True, text=True
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_a_variable_that_is_not_set_stops_the_command_and_says_what_is_wanted(explain):
    scope = "a}$(touch${IFS}x)`touch${IFS}x`"
    app = make_app(guard=lambda auth: auth.login_required(scopes={scope}))
    _, output = explain(
        app, "GET", "/notes", "--curl", "--case", f"bearer-without-scope-{scope}", "--case", "bearer-expired"
    )
    _, expired, _, lacking = output.splitlines()
    code, words, said = run_in_shell(expired)
    assert (code != 0, words) == (True, [])
    assert "TOKEN: an expired token" in said
    _, _, said = run_in_shell(lacking)
    assert "TOKEN: a token without scope a?" in said
    code, words, said = run_in_shell(lacking, TOKEN="$(id) x")
    assert (code, said) == (0, "")
    assert words == ["-i", "-H", "Authorization: Bearer $(id) x", "http://127.0.0.1:5000/notes"]
    assert not Path("x").exists()


def commands_of(explain, app, *arguments, method="GET"):
    """Return the lines of each case's command by its label."""
    code, output = explain(app, method, "/notes", "--curl", *arguments)
    assert code == 0, output
    found = {}
    for line in output.splitlines():
        if line.startswith("# ") and not line.startswith("# needs "):
            found[line[2:]] = of_case = []
        else:
            of_case.append(line)
    return found


def test_cases_that_no_request_alone_can_produce(explain):
    from flask_unauthorized import Digest
    from flask_unauthorized.stores.memory import MemoryStore
    from flask_unauthorized.throttle import Throttle

    found = commands_of(explain, make_app(Digest(refuse), Basic(refuse, throttle=Throttle(MemoryStore()))))
    assert found["loader or store unavailable"] == [
        "# needs an outage of what a loader or a store depends on: no command"
    ]
    assert found["Digest: stale nonce"] == ["# needs a nonce that has expired, and curl takes a new one: no command"]
    needs, command = found["Basic: too many attempts"]
    assert needs == "# needs many refused attempts before: repeat it until the status is 429"
    assert "${PASSWORD:?a wrong password}" in command
    of_server = commands_of(explain, make_app(RemoteUser(refuse)))
    assert of_server["RemoteUser: invalid"] == ["# needs REMOTE_USER, which the server sets: no command"]


def test_each_variable_names_what_the_case_is_about(explain):
    from flask_unauthorized import DPoP

    guard = lambda auth: auth.login_required(scopes={"read"}, acr="gold")  # noqa: E731
    app = make_app(
        SessionCookie(refuse, store=None), DPoP(refuse, origin="http://localhost"), APIKey(refuse), guard=guard
    )
    found = commands_of(explain, app)
    said = {label: re.findall(r"\$\{(\w+):\?([^}]*)\}", lines[-1]) for label, lines in found.items()}
    cookie = "the value of a session cookie"
    assert said["Cookie: invalid"] == [("SESSION_COOKIE", f"{cookie} of a session that has ended")]
    assert said["Cookie: session ended, in a browser"] == said["Cookie: invalid"]
    assert said["Cookie: without scope read"] == [("SESSION_COOKIE", f"{cookie} of a user without scope read")]
    assert said["Cookie: login without acr gold"] == [("SESSION_COOKIE", f"{cookie} of a login without acr gold")]
    assert said["valid credentials"] == [("SESSION_COOKIE", f"{cookie} of a user who is logged in")]
    assert said["DPoP: without a valid proof"] == [("TOKEN", "a valid token"), ("PROOF", "a DPoP proof by another key")]
    assert said["ApiKey: invalid"] == [("KEY", "an invalid key")]


@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        (("/notes?a=1", "--url", "http://127.0.0.1:5077"), "http://127.0.0.1:5077/notes?a=1"),
        (("/notes", "--url", "https://shop.example/"), "https://shop.example/notes"),
        (("http://shop.example:8000/notes?a=1#top",), "http://shop.example:8000/notes?a=1"),
        (("HTTP://shop.example/notes", "--url", "http://[::1]:81"), "http://[::1]:81/notes"),
    ],
)
def test_where_the_commands_go(explain, arguments, address):
    code, output = explain(make_app(), "GET", *arguments, "--curl", "--case", "nothing")
    assert code == 0, output
    assert shlex.split(output.splitlines()[1])[-1] == address


def test_a_url_is_explained_by_its_path_and_query(explain):
    found = document(explain, make_app(), "GET", "https://shop.example/notes?a=1#top", "--case", "nothing")
    assert (found["path"], found["cases"][0]["status"]) == ("/notes?a=1", 401)


def test_refusals_that_were_asked_for_are_logged_at_debug(explain, caplog):
    caplog.set_level("INFO", "flask_unauthorized")
    explain(make_app(), "GET", "/notes")
    assert [record for record in caplog.records if record.message.startswith("refused")] == []
    caplog.set_level("DEBUG", "flask_unauthorized")
    explain(make_app(), "GET", "/notes")
    levels = {record.levelname for record in caplog.records if record.message.startswith("refused")}
    assert levels == {"DEBUG"}


def test_fields_without_a_bearing_on_authentication_are_in_the_whole_messages_only(explain):
    app = make_app()

    @app.after_request
    def add(response):
        response.headers["Content-Security-Policy"] = "default-src 'none'"
        response.headers["Access-Control-Allow-Origin"] = "https://other.example"
        return response

    _, shown = explain(app, "GET", "/notes")
    assert "Access-Control-Allow-Origin: https://other.example" in shown
    for form, spelled in (("--raw", "Content-Security-Policy: "), ("--json", '"Content-Security-Policy"')):
        _, whole = explain(app, "GET", "/notes", form)
        assert spelled in whole
        assert "Vary" in whole
    assert "Content-Security-Policy" not in shown
    assert "Vary" not in shown


def test_a_case_is_chosen_by_its_label_as_well(explain):
    found = document(explain, make_app(), "GET", "/notes", "--case", "Bearer: expired", "--case", "nothing")
    assert [case["name"] for case in found["cases"]] == ["nothing", "bearer-expired"]


def test_a_browser_whose_session_has_ended(explain):
    app = make_app(SessionCookie(refuse, login_view="https://id.example.com/login", store=None))
    (found,) = document(explain, app, "GET", "/notes", "--case", "cookie-ended-in-browser")["cases"]
    assert found["status"] == 302
    assert dict(found["headers"])["Location"].startswith("https://id.example.com/login")


def test_control_characters_never_reach_the_terminal(explain):
    app = make_app(guard=lambda auth: auth.login_required(scopes={"a"}))

    @app.after_request
    def add(response):
        response.headers["X-Odd"] = "a\x1b[2Jb"
        response.set_data("\x1b[31mred\x9b\x07")
        return response

    app.add_url_rule("/odd\x1b[2J", "odd", app.view_functions["notes"])
    for options in ((), ("--raw",), ("--json",), ("--curl",)):
        for path in ("/notes", "/odd%1b[2J"):
            code, output = explain(app, *options, "GET", path)
            assert code == 0, output
            assert all(character.isprintable() or character == "\n" for character in output)


def test_cookies_and_nonces_are_not_printed(explain):
    from flask_unauthorized import Digest

    app = make_app(Digest(refuse), SessionCookie(refuse, store=None))

    @app.after_request
    def add(response):
        response.set_cookie("csrf", "a-value-of-the-app", secure=True)
        response.headers["Content-Security-Policy"] = "script-src 'nonce-abcdef'"
        return response

    found = document(explain, app, "GET", "/notes")
    headers = [tuple(line) for case in found["cases"] for line in case["headers"]]
    assert ("Set-Cookie", "csrf=…; Secure; Path=/") in headers
    assert "a-value-of-the-app" not in json.dumps(found)
    assert any('nonce="…"' in value for _, value in headers)
    assert not any("nonce-abcdef" in value for name, value in headers if name == "Content-Security-Policy")


# --- the cases


def test_cases_that_cannot_happen_are_not_listed(explain):
    assert names(explain, make_app()) == [
        "nothing", "bearer-invalid", "bearer-expired", "bearer-malformed", "two-credentials", "script", "browser",
        "unavailable", "preflight", "valid",
    ]  # fmt: skip


def test_plain_http_where_https_is_demanded(explain):
    app = make_app(UNAUTHORIZED_REQUIRE_HTTPS=True)
    statuses = {case["name"]: case["status"] for case in document(explain, app, "GET", "/notes")["cases"]}
    assert statuses["plain-http"] == 403
    assert statuses["nothing"] == 401
    assert statuses["valid"] is None


def test_scopes_that_imply_each_other(explain):
    app = Flask("shop", static_folder=None)
    auth = Auth(Bearer(refuse), app=app, implied_scopes={"write": {"read"}})
    app.add_url_rule("/notes", "notes", auth.login_required(scopes={"read", "write"})(refuse))
    statuses = {case["name"]: case["status"] for case in document(explain, app, "GET", "/notes")["cases"]}
    assert statuses["bearer-without-scope-read"] == statuses["bearer-without-scope-write"] == 403
    assert statuses["valid"] is None


def test_two_schemes_of_one_name(explain):
    app = make_app(Bearer(refuse), Bearer(refuse, name="Token"), APIKey(refuse), APIKey(refuse, query="key"))
    found = names(explain, app)
    assert {"bearer-invalid", "token-invalid", "apikey#1-invalid", "apikey#2-invalid"} <= set(found)


def test_credentials_that_no_sample_can_show(explain):
    class Ticket(Scheme):
        name = "Ticket"
        ambient = True
        cross_site_reads = False
        reads = (("cookie", "ticket"),)

        def read(self, request, rest):
            if request.cookies.get("ticket"):
                raise MalformedCredentials

        def verify(self, credentials, request):
            refuse()

        def challenges(self, realm, error, request):
            return (Challenge(self.name, {"realm": realm}),)

    statuses = {
        case["name"]: case["status"] for case in document(explain, make_app(Ticket()), "GET", "/notes")["cases"]
    }
    assert statuses["ticket-invalid"] == 401
    assert statuses["ticket-cross-site"] == 403
    assert statuses["ticket-malformed"] == 400
    assert statuses["valid"] is None


@pytest.mark.parametrize("scheme", [RemoteUser(refuse), RemoteUser(refuse, header="X-User", proxies=["10.0.0.5"])])
def test_what_the_server_sets(explain, scheme):
    statuses = {case["name"]: case["status"] for case in document(explain, make_app(scheme), "GET", "/notes")["cases"]}
    assert statuses["nothing"] == statuses[f"{scheme.name.lower()}-invalid"] == 401
    assert statuses["valid"] is None


def test_no_socket_is_opened(explain, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    issuer = "https://id.example.com"
    jwt = Bearer(JWT(issuer, audience="https://api.example.com"))
    opaque = Bearer(Introspection(issuer, client_id="api", client_secret="s" * 32, audience=None), name="Opaque")
    found = document(explain, make_app(jwt, opaque), "GET", "/notes")
    assert found["cases"][-1]["status"] is None


# --- PATH


class Even(BaseConverter):
    regex = r"\d*[02468]"

    def to_python(self, value):
        if value == "10":
            raise ValueError
        return int(value)


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("/notes/<int:id>", "/notes/1"),
        ("/notes/<name>", "/notes/sample"),
        ("/notes/<string(length=2):name>", "/notes/ab"),
        ("/notes/<float:x>/<path:rest>", "/notes/1.0/sample"),
        ("/notes/<uuid:id>", "/notes/00000000-0000-4000-8000-000000000000"),
        ("/notes/<any(draft, final):state>", "/notes/draft"),
        ("/notes/<even:number>", "/notes/100"),
    ],
)
def test_a_rule_gets_sample_values(explain, rule, path):
    app = Flask("shop", static_folder=None)
    app.url_map.converters["even"] = Even
    auth = Auth(Bearer(refuse), app=app)
    app.add_url_rule(rule, "notes", auth.login_required(refuse))
    found = document(explain, app, "GET", rule)
    assert (found["rule"], found["path"]) == (rule, path)
    assert found["cases"][0]["status"] == 401


def test_a_rule_of_a_subdomain(explain):
    app = Flask("shop", static_folder=None, subdomain_matching=True)
    app.config["SERVER_NAME"] = "shop.example"
    auth = Auth(Bearer(refuse), app=app)
    app.add_url_rule("/notes/<int:id>", "notes", auth.login_required(refuse), subdomain="api")
    assert document(explain, app, "GET", "/notes/<int:id>")["cases"][0]["status"] == 401


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("GET", "/nowhere"), "404: no rule matches /nowhere."),
        (("DELETE", "/notes/"), "405: /notes/ doesn't take DELETE, only GET, HEAD, OPTIONS."),
        (("GET", "/notes"), "308: the router redirects to http://localhost/notes/."),
        (("OPTIONS", "/notes/"), "200: Flask responds to OPTIONS /notes/ itself, and no caller is demanded."),
        (("GET", "/<nothing>"), "/<nothing> isn't a rule of the app"),
    ],
)
def test_no_view_is_1(explain, arguments, said):
    code, output = explain(make_app(rule="/notes/"), *arguments)
    assert code == 1
    assert said in output


# --- mistakes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("G T", "/notes"), "'G T' is not an HTTP method"),
        (("GET", "/notes", "--case", "nobody"), "'nobody' is none of nothing, bearer-invalid"),
        (("GET", "/notes", "--raw", "--json"), "--raw and --json exclude each other: give one of them"),
        (("GET", "/notes", "--json", "--curl", "--raw"), "--raw and --json and --curl exclude each other"),
        (("GET", "/notes", "--url", "http://127.0.0.1"), "--url is for the commands that --curl prints"),
        (("GET", "/notes", "--curl", "--url", "127.0.0.1:5000"), "it is not the address of a server"),
        (("GET", "/notes", "--curl", "--url", "http://a:b@shop.example"), "it is not the address of a server"),
        (("GET", "/notes", "--curl", "--url", "http://shop.example:port"), "it is not the address of a server"),
        (("GET", "/notes", "--curl", "--url", "http://shop.example/notes"), "it is not the address of a server"),
        (("GET", "http://a:b@shop.example/notes"), "it is not the address of a server"),
        (("GET", "/notes", "--as", "Accept"), "'Accept' is not a header line"),
        (("GET", "/notes", "--as", "X: a\r\nY: b"), "is not a header line"),
        (("GET", "/notes", "--as", "Authorization: Bearer x"), "Authorization carries credentials"),
        (("GET", "/notes", "--as", "cookie: session=x"), "cookie carries credentials"),
        (("GET", "/notes", "--as", "X-Api-Key: x"), "X-Api-Key carries credentials"),
    ],
)
def test_a_wrong_command_line_is_2(explain, arguments, said):
    code, output = explain(make_app(Bearer(refuse), APIKey(refuse)), *arguments)
    assert code == 2
    assert said in " ".join(output.split())


def test_a_set_up_with_a_mistake_is_2(explain):
    code, output = explain(make_app(Bearer()), "GET", "/notes")
    assert code == 2
    assert "Bearer has no loader" in output


def test_an_app_that_cannot_be_loaded_is_2(explain):
    def create_app():
        raise KeyError("DATABASE")

    code, output = explain(create_app, "GET", "/notes")
    assert code == 2
    assert "the app can't be loaded: KeyError" in output


def test_an_app_without_auth_is_2(explain):
    code, output = explain(Flask("bare"), "GET", "/static/x")
    assert code == 2
    assert "no Auth serves the app" in output


@pytest.mark.parametrize("propagates", [True, False])
def test_a_hook_that_raises(explain, propagates):
    app = make_app(PROPAGATE_EXCEPTIONS=propagates)

    @app.before_request
    def fail():
        raise ValueError("postgres://user:password@db")

    code, output = explain(app, "GET", "/notes")
    assert "password" not in output
    if propagates:
        assert code == 2
        assert "code of the app raised ValueError" in output
    else:
        assert code == 0
        assert "500" in output


# --- the app around the view


def test_hooks_and_handlers_of_the_app_run(explain):
    app = make_app(Bearer(refuse))
    ran = []
    app.before_request(lambda: ran.append("before"))
    app.errorhandler(401)(lambda error: ("own page", 401))
    app.after_request(lambda response: response.headers.set("X-After", "1") or response)
    found = document(explain, app, "GET", "/notes", "--case", "nothing")["cases"][0]
    assert ran == ["before"]
    assert found["body"] == "own page"
    assert ["X-After", "1"] in found["headers"]
    assert ["WWW-Authenticate", 'Bearer realm="notes"'] in found["headers"]
    assert "The hooks of the app ran (1 before_request)" in explain(app, "GET", "/notes")[1]


def test_a_hook_that_responds_is_told(explain):
    app = make_app()
    app.before_request(lambda: ("maintenance", 503))
    assert document(explain, app, "GET", "/notes")["cases"][0] == {
        "name": "nothing",
        "status": 503,
        "headers": [["Content-Type", "text/html; charset=utf-8"], ["Content-Length", "11"]],
        "body": "maintenance",
        "note": "a hook of the app responded",
    }


@pytest.mark.parametrize("has_own", [False, True])
def test_who_responds_to_a_preflight_is_told(explain, has_own):
    app = make_app()
    if has_own:
        app.make_default_options_response = lambda: app.response_class("own")
    of_app = vars(app).get("make_default_options_response")
    notes = []
    for hook in (lambda: None, lambda: ("", 204) if request.method == "OPTIONS" else None):
        app._got_first_request = False
        app.before_request(hook)
        notes += [one["note"] for one in document(explain, app, "GET", "/notes", "--case", "preflight")["cases"]]
    assert notes == [None, "a hook of the app responded"]
    assert vars(app).get("make_default_options_response") is of_app


def test_a_header_line_of_ones_own(explain):
    pages = [
        document(explain, make_app(), "GET", "/notes", "--case", "nothing", *more)["cases"][0]["headers"][0]
        for more in ((), ("--as", "Accept: text/html"))
    ]
    assert pages == [["Content-Type", "application/json"], ["Content-Type", "text/html; charset=utf-8"]]


def test_a_browser_is_led_to_the_login_page(explain):
    app = make_app(SessionCookie(refuse, login_view="https://id.example.com/login", store=None))
    (found,) = document(explain, app, "GET", "/notes", "--case", "browser")["cases"]
    assert found["status"] == 302
    location = dict(found["headers"])["Location"]
    assert location.startswith("https://id.example.com/login")


def test_sessions_that_a_store_holds_stay_untouched(explain):
    class StoredSession(CallbackDict, SessionMixin):
        """A session as Flask-Session opens it: a dict that notes changes."""

        def __init__(self):
            super().__init__(on_update=lambda _: setattr(self, "modified", True))
            self.modified = False

    class Sessions(SessionInterface):
        def open_session(self, app, request):
            return StoredSession()

        def save_session(self, app, session, response):
            assert not session.modified

    app = make_app(SessionCookie(refuse, store=None), methods=("POST",))
    app.session_interface = Sessions()
    statuses = {case["name"]: case["status"] for case in document(explain, app, "POST", "/notes")["cases"]}
    assert statuses["cookie-invalid"] == 401
    assert statuses["cookie-cross-site"] == 403
    assert statuses["valid"] is None
