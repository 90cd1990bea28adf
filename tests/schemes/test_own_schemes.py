"""What a scheme says of itself in its attributes, and what follows for subclasses that users write."""

import logging
import shlex

import pytest

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Challenge,
    ConfigurationError,
    Digest,
    DPoP,
    Identity,
    Scheme,
    SessionCookie,
)
from tests.helpers import app_with_view, challenges_of
from tests.independent import independent

CHALLENGE = "WWW-Authenticate"
KEY = "0123456789abcdef0123456789abcdef"


def load(token):
    return Identity("ada") if token == "good" else None


def serve(make_app, *schemes, **config):
    auth = Auth(*schemes, realm="shop")
    app = make_app(auth, SECRET_KEY=KEY, SESSION_COOKIE_SAMESITE="Lax", **config)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    return app, auth


def ask(app, value=None, **headers):
    sent = {**headers, **({} if value is None else {"Authorization": value})}
    return app.test_client().get("/", headers=sent)


def offered(response):
    """The schemes in lower case, in their order."""
    return [name.lower() for name, _ in challenges_of(response)]


class Ticket(Scheme[str]):
    """A scheme of a user that reads Authorization by its name, asks a loader through a helper, and says so."""

    name = "Ticket"

    def read(self, request, rest):
        return rest

    def verify(self, credentials, request):
        return self._asked(credentials)

    def _asked(self, credentials):
        return self.load(credentials)

    def challenges(self, realm, error, request):
        return (Challenge(self.name, {"realm": realm, **({"error": error.error} if error and error.error else {})}),)


# --- a name of one's own (F-21)


class Token(Bearer):
    name = "Token"


class OwnReads(Bearer):
    name = "Token"
    reads = (("authorization", "token"), ("authorization", "jwt"))


class Pop(DPoP):
    name = "Pop"


class XBasic(Basic):
    name = "XBasic"


class XDigest(Digest):
    name = "XDigest"


BY_NAME = {
    "argument": lambda: Bearer(load, name="Token"),
    "lower-case": lambda: Bearer(load, name="token"),
    "subclass": lambda: Token(load),
    "argument-of-a-subclass": lambda: OwnReads(load, name="Token"),
    "user's": lambda: type("Mine", (Ticket,), {"name": "Token"})(load),
}


@pytest.mark.parametrize("make", BY_NAME.values(), ids=BY_NAME)
def test_the_name_is_offered_and_read(make_app, make):  # F-21
    app, _ = serve(make_app, make())
    for spelled in ("Token", "token", "TOKEN"):
        assert ask(app, f"{spelled} good").status_code == 200
    nothing, other, bad = ask(app), ask(app, "Bearer good"), ask(app, "Token bad")
    assert [response.status_code for response in (nothing, other, bad)] == [401, 401, 401]
    for response in (nothing, other, bad):
        assert offered(response) == ["token"]
    ((_, params),) = independent(other.headers[CHALLENGE])
    assert "error" not in params
    ((_, params),) = independent(bad.headers[CHALLENGE])
    assert params["error"] == "invalid_token"
    assert ask(app, "Token token=good").status_code in (400, 401)  # no parameters: what follows is the token


def test_reads_of_a_class_is_respected_and_both_names_get_in(make_app):  # F-21
    app, _ = serve(make_app, OwnReads(load))
    assert [ask(app, f"{name} good").status_code for name in ("Token", "JWT", "Bearer")] == [200, 200, 401]


def test_ways_in_a_form_or_url_stand_beside_the_name(make_app):  # F-21
    scheme = Bearer(load, name="Token", query=True)
    assert scheme.reads == (("authorization", "token"), ("query", "access_token"))
    app, _ = serve(make_app, scheme)
    assert app.test_client().get("/?access_token=good").status_code == 200
    assert app.test_client().get("/?access_token=good", headers={"Authorization": "Token good"}).status_code == 400


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: XBasic(lambda name, password: True), "XBasic"),
        (lambda: XDigest(lambda name: "pw"), "XDigest"),
        (lambda: Pop(load, origin="https://a.example"), "Pop"),
    ],
)
def test_other_schemes_follow_their_name_too(make_app, make, name):  # F-21
    scheme = make()
    app, _ = serve(make_app, scheme)
    assert offered(ask(app)) == [name.lower()]
    assert scheme.reads == (("authorization", name.lower()),)
    if name == "XBasic":
        assert ask(app, "XBasic YTpi").status_code == 200
        assert ask(app, "Basic YTpi").status_code == 401


def test_two_names_of_one_kind_stand_side_by_side(make_app):  # F-21
    old, new = Bearer({"old": "ada"}.get, name="Token"), Bearer({"new": "ada"}.get)
    app, _ = serve(make_app, old, new)
    assert offered(ask(app)) == ["bearer", "token"]
    assert [ask(app, value).status_code for value in ("Token old", "Bearer new", "Token new")] == [200, 200, 401]


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("", ConfigurationError, "not a token"),
        ("My Token", ConfigurationError, "not a token"),
        ("Tök", ConfigurationError, "not a token"),
        ("Token:", ConfigurationError, "not a token"),
        ("Basic", ConfigurationError, "another scheme"),
        ("digest", ConfigurationError, "another scheme"),
        ("DPoP", ConfigurationError, "another scheme"),
        ("Negotiate", ConfigurationError, "another scheme"),
        ("NTLM", ConfigurationError, "another scheme"),
        ("RemoteUser", ConfigurationError, "another scheme"),
        (5, TypeError, "must be a str"),
    ],
)
def test_a_name_that_cannot_be_one(name, error, text):  # F-21
    with pytest.raises(error, match=text):
        Bearer(load, name=name)
    with pytest.raises(error, match=text):
        type("Mine", (Bearer,), {"name": name})(load)


def test_tokens_under_the_name_of_keys_beside_keys_in_a_header(make_app):
    """Elasticsearch and others take a token as "Authorization: ApiKey …"."""
    app, _ = serve(make_app, Bearer({"good": "ada"}.get, name="ApiKey"), APIKey({"key": "grace"}.get))
    assert ask(app, "ApiKey good").status_code == 200
    assert app.test_client().get("/", headers={"X-API-Key": "key"}).status_code == 200
    refused = ask(app, "apikey bad").headers.getlist("WWW-Authenticate")
    assert [("invalid_token" in line, "X-API-Key" in line) for line in refused] == [(True, False), (False, True)]


@pytest.mark.parametrize("kind", ["tokens", "Token", "", None, 5, "bearer"])
def test_a_kind_of_credentials_that_no_page_has_words_for(make_app, kind):
    app, auth = serve(make_app, type("Own", (Ticket,), {"credential_kind": kind})(load))
    with pytest.raises(ConfigurationError, match=r"Own\.credential_kind must be one of token, token_with_proof, key, "):
        auth.check(app)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("token", "send an access token"),
        ("key", "send your API key"),
        ("password", "when your browser asks for them"),
        ("session", "Log in to this site"),
        ("sign_on", "This site has a login service"),
        ("login", "Use a login of the kind “Ticket”"),
        (..., "Use a login of the kind “Ticket”"),
    ],
)
def test_the_page_speaks_of_the_kind_that_a_scheme_declares(make_app, kind, words):
    own = Ticket if kind is ... else type("Own", (Ticket,), {"credential_kind": kind})
    app, _ = serve(make_app, own(load))
    assert words in app.test_client().get("/", headers={"Accept": "text/html"}).text


def misnamed_class(base, **attributes):
    """A class whose challenges name a scheme that it doesn't read from Authorization."""
    return type("Misnamed", (base,), attributes)


MISNAMED = {
    "reads-forgotten": lambda: misnamed_class(Bearer, name="Token", reads=(("authorization", "bearer"),))(load),
    "not-static": lambda: misnamed_class(Bearer, name="Token", reads=(("authorization", "bearer"),), static=False)(
        load
    ),
    "challenge-fixed": lambda: misnamed_class(
        Ticket, name="Pass", challenges=lambda self, realm, error, request: (Challenge("Ticket", {"realm": realm}),)
    )(load),
    "one-of-two": lambda: misnamed_class(
        Ticket,
        challenges=lambda self, realm, error, request: (
            Challenge("Ticket", {"realm": realm}),
            Challenge("Pass", {"realm": realm}),
        ),
    )(load),
    "beside-a-header": lambda: misnamed_class(
        Ticket, name="Pass", reads=(("authorization", "ticket"), ("header", "x-ticket"))
    )(load),
    "digest": lambda: misnamed_class(XDigest, reads=(("authorization", "digest"),))(lambda name: "pw"),
}


@pytest.mark.parametrize("make", MISNAMED.values(), ids=MISNAMED)
def test_check_refuses_a_challenge_for_what_is_not_read(make_app, make):  # F-21
    app, auth = serve(make_app, make())
    with pytest.raises(ConfigurationError, match=r"Misnamed challenges for '.*', but reads"):
        auth.check(app)


def test_another_carrier_alone_may_be_asked_for_by_any_name(make_app):  # F-21
    app, auth = serve(make_app, misnamed_class(Ticket, name="Bearer", reads=(("header", "x-ticket"),))(load))
    auth.check(app)
    assert offered(ask(app)) == ["bearer"]


def test_a_challenge_that_needs_a_request_is_no_mistake(make_app):  # F-21
    def challenges(self, realm, error, request):
        return (Challenge(self.name, {"realm": realm, "host": request.headers["X-Tenant"]}),)

    app, auth = serve(make_app, misnamed_class(Ticket, static=False, challenges=challenges)(load))
    auth.check(app)
    assert offered(ask(app, **{"X-Tenant": "one"})) == ["ticket"]


def test_a_resource_does_not_send_clients_to_a_name_of_ones_own(make_app):  # F-21; RFC 9728 §2, RFC 6750 §2.1
    for scheme, ways in ((Bearer(load, name="Token", form=True), ["body"]), (Bearer(load), ["header"])):
        auth = Auth(scheme)
        app = make_app(auth)
        auth.protected_resource("https://api.example.com/mcp", authorization_servers=["https://as.example.com"])
        app.add_url_rule("/mcp", "mcp", auth.login_required(lambda: "in"))
        found = app.test_client().get("/.well-known/oauth-protected-resource/mcp").json
        assert found["bearer_methods_supported"] == ways


# --- parameters of the challenge (F-63)

LOGIN = "https://login.example.com/authorize"


@pytest.mark.parametrize("value", [None, "Bearer bad"])
def test_parameters_are_added_to_the_challenge(make_app, value):  # F-63
    app, _ = serve(make_app, Bearer(load, params={"authorization_uri": LOGIN, "client_id": 'a "b"'}))
    ((name, params),) = independent(ask(app, value).headers[CHALLENGE])
    assert name.lower() == "bearer"
    assert (params["realm"], params["authorization_uri"], params["client_id"]) == ("shop", LOGIN, 'a "b"')
    assert ("error" in params) is (value is not None)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"realm": "x"}, ConfigurationError),
        ({"Realm": "x"}, ConfigurationError),
        ({"error": "x"}, ConfigurationError),
        ({"ERROR_description": "x"}, ConfigurationError),
        ({"scope": "x"}, ConfigurationError),
        ({"resource_metadata": "https://x.example"}, ConfigurationError),
        ({"acr_values": "x"}, ConfigurationError),
        ({"max_age": "1"}, ConfigurationError),
        ({"a b": "x"}, ConfigurationError),
        ({"": "x"}, ConfigurationError),
        ({"a": "x\r\nSet-Cookie: a=b"}, ConfigurationError),
        ({"a": "ü"}, ConfigurationError),
        ({"a": "x", "A": "y"}, ConfigurationError),
        ({"a": 5}, TypeError),
        ({5: "a"}, TypeError),
        ("authorization_uri", TypeError),
        ([("a", "b")], TypeError),
    ],
)
def test_parameters_that_cannot_be_sent_or_are_ours(params, error):  # F-63
    with pytest.raises(error, match=r"params|made of str"):
        Bearer(load, params=params)


# --- empty credentials (F-63)

SCHEMES = {
    "Bearer": lambda: Bearer(load),
    "Token": lambda: Bearer(load, name="Token"),
    "Basic": lambda: Basic(lambda name, password: True),
    "Digest": lambda: Digest(lambda name: "pw"),
    "DPoP": lambda: DPoP(load, origin="https://a.example"),
    "Ticket": lambda: Ticket(lambda credentials: pytest.fail("asked")),
    "ApiKey": lambda: APIKey(load),
    "XBasic": lambda: Basic(lambda name, password: True, script_alias="XBasic"),
}


@pytest.mark.parametrize("blanks", ["", " ", "   ", "\t", " \t "])
@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_alone_is_nothing_sent(make_app, caplog, name, blanks):  # F-63
    caplog.set_level(logging.INFO, "flask_unauthorized")
    app, auth = serve(make_app, SCHEMES[name]())
    app.add_url_rule("/open", "open", auth.login_optional(lambda: str(auth.get_identity())))
    for before in ("", " "):
        response = ask(app, before + name + blanks)
        assert response.status_code == 401
        for _, params in challenges_of(response):
            assert not params.keys() & {"error", "error_description", "stale"}
        assert "MissingCredentials" in caplog.text
        opened = app.test_client().get("/open", headers={"Authorization": before + name + blanks})
        assert (opened.status_code, opened.text) == (200, "None")


def test_a_scheme_alone_leaves_the_other_carriers_to_decide(make_app):  # F-63
    app, _ = serve(make_app, Bearer(load, query=True), APIKey(load))
    client = app.test_client()
    assert client.get("/", headers={"Authorization": "Bearer", "X-API-Key": "good"}).status_code == 200
    assert client.get("/?access_token=good", headers={"Authorization": "Bearer "}).status_code == 200
    assert client.get("/?access_token=good", headers={"Authorization": "Bearer bad"}).status_code == 400


# --- a loader (F-46)

BUILT_IN = (Bearer, Basic, Digest, APIKey, SessionCookie, lambda: DPoP(origin="https://a.example"))


class NeedsLoader(Ticket):
    needs_loader = True


@pytest.mark.parametrize("make", [*BUILT_IN, NeedsLoader, Token], ids=lambda make: getattr(make, "__name__", "DPoP"))
def test_check_finds_a_forgotten_loader(make_app, make):  # F-46
    app, auth = serve(make_app, make())
    with pytest.raises(ConfigurationError, match=r"has no loader: pass one, .*\(load\), or register one"):
        auth.check(app)


def test_a_scheme_that_asks_nobody_needs_no_loader(make_app):  # F-46
    class Fixed(Ticket):
        def verify(self, credentials, request):
            return "ada" if credentials == "good" else None

    class Own(Bearer):
        needs_loader = False

        def verify(self, credentials, request):
            return "ada" if credentials.arguments == ("good",) else None

    for scheme, name in ((Fixed(), "Ticket"), (Own(), "Bearer")):
        app, auth = serve(make_app, scheme)
        auth.check(app)
        assert [ask(app, f"{name} {sent}").status_code for sent in ("good", "bad")] == [200, 401]


def test_who_asks_without_having_said_so_is_told_what_to_say(make_app):  # F-46
    app, _ = serve(make_app, Ticket())
    with pytest.raises(ConfigurationError, match="say needs_loader = True in the class"):
        ask(app, "Ticket x")


# --- challenges that may be kept (F-48)


def challenges_of_tenant(self, realm, error, request):
    tenant = "none" if request is None else request.headers.get("X-Tenant", "none")
    params = {"error": error.error} if error is not None and error.error else {}
    return (Challenge(self.name, {"realm": realm, "tenant": tenant, **params}),)


class Mixin:
    challenges = challenges_of_tenant


NOT_CACHEABLE = {
    "static-False": lambda: type("Sub", (Bearer,), {"static": False, "challenges": challenges_of_tenant})(load),
    "static-False-and-said": lambda: type(
        "Sub", (Bearer,), {"static": False, "cacheable_challenges": True, "challenges": challenges_of_tenant}
    )(load),
    "static-for-nothing-sent": lambda: type("Sub", (Bearer,), {"challenges": challenges_of_tenant})(load),
    "by-a-mixin": lambda: type("Sub", (Mixin, Bearer), {})(load),
    "grandchild": lambda: type("Sub", (type("Between", (Bearer,), {"challenges": challenges_of_tenant}),), {})(load),
    "basic": lambda: type("Sub", (Basic,), {"static": False, "challenges": challenges_of_tenant})(
        lambda name, password: None
    ),
    "key": lambda: type("Sub", (APIKey,), {"static": False, "challenges": challenges_of_tenant})(load),
    "user's": lambda: type("Sub", (Ticket,), {"static": False, "challenges": challenges_of_tenant})(load),
}


@pytest.mark.parametrize("make", NOT_CACHEABLE.values(), ids=NOT_CACHEABLE)
def test_challenges_that_look_at_the_request_are_not_kept(make_app, make):  # F-48
    scheme = make()
    scheme.name = "Tenant"
    app, _ = serve(make_app, scheme)
    for tenant in ("one", "two", "one"):
        sent = {"X-API-Key": "bad"} if isinstance(scheme, APIKey) else {"Authorization": "Tenant YTpi"}
        response = app.test_client().get("/", headers={**sent, "X-Tenant": tenant})
        ((_, params),) = independent(response.headers[CHALLENGE])
        assert (response.status_code, params["tenant"]) == (401, tenant)


def test_static_set_to_false_on_a_scheme_of_ours_counts(make_app, monkeypatch):  # F-48
    monkeypatch.setattr(Bearer, "static", False)
    monkeypatch.setattr(Bearer, "challenges", challenges_of_tenant)
    app, _ = serve(make_app, Bearer(load))
    for tenant in ("one", "two"):
        ((_, params),) = independent(ask(app, "Bearer bad", **{"X-Tenant": tenant}).headers[CHALLENGE])
        assert params["tenant"] == tenant


def test_refusals_of_a_scheme_that_says_so_are_made_once(make_app):  # F-48
    made = []

    class Counted(Ticket):
        cacheable_challenges = True

        def challenges(self, realm, error, request):
            made.append(error)
            return super().challenges(realm, error, request)

    app, _ = serve(make_app, Counted(load))
    first = [(response.status_code, response.headers, response.text) for response in (ask(app), ask(app, "Ticket bad"))]
    made.clear()
    again = [(response.status_code, response.headers, response.text) for response in (ask(app), ask(app, "Ticket bad"))]
    assert (again, made) == (first, [])


def test_scripts_are_offered_what_prompts_if_it_tells_them_apart(make_app):  # F-48
    class Polite(Ticket):
        prompts = True
        static = False
        depends_on_script = True

    class Rude(Ticket):
        name = "Rude"
        prompts = True

    app, _ = serve(make_app, Polite(load), Rude(load), Bearer(load))
    script = ask(app, **{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"})
    assert sorted(offered(script)) == ["bearer", "ticket"]
    assert "Sec-Fetch-Mode" in script.headers["Vary"]
    assert sorted(offered(ask(app))) == ["bearer", "rude", "ticket"]


# --- what the explanation says (F-49)


def debug_of(app, value=None, **headers):
    sent = {"Accept": "application/json", **headers, **({} if value is None else {"Authorization": value})}
    return app.test_client().get("/", headers=sent).json["debug"]


class Signature(Ticket):
    name = "Signature"
    reads = (("header", "signature"), ("header", "signature-input"))


class Documented(Signature):
    curl_options = ("-H", "Signature: sig=:…:", "-H", 'Signature-Input: sig=("@method")')


class Invitation(Ticket):
    name = "Invitation"

    def __init__(self, where):
        super().__init__(load)
        self.reads = ((where, "code"),)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (lambda: Signature(load), ["-H", "Signature: CREDENTIALS"]),
        (lambda: Invitation("cookie"), ["-b", "code=KEY"]),
        (lambda: Invitation("query"), ["--url-query", "code=KEY"]),
        (lambda: Invitation("form"), ["--data-urlencode", "code=KEY"]),
        (lambda: Documented(load), ["-H", "Signature: sig=:…:", "-H", 'Signature-Input: sig=("@method")']),
        (lambda: Ticket(load), ["-H", "Authorization: Ticket CREDENTIALS"]),
        (lambda: Bearer(load), ["-H", "Authorization: Bearer TOKEN"]),
        (lambda: Bearer(load, name="Token"), ["-H", "Authorization: Token TOKEN"]),
        (lambda: Token(load, query=True), ["-H", "Authorization: Token TOKEN"]),
        (lambda: DPoP(load, origin="https://a.example"), ["-H", "Authorization: DPoP TOKEN", "-H", "DPoP: PROOF"]),
        (lambda: Basic(lambda name, password: None), ["-u", "NAME:PASSWORD"]),
        (lambda: Digest(lambda name: None), ["--digest", "-u", "NAME:PASSWORD"]),
        (lambda: APIKey(load), ["-H", "X-Api-Key: KEY"]),
        (lambda: APIKey(load, query="key"), ["--url-query", "key=KEY"]),
        (lambda: APIKey(load, cookie="key"), ["-b", "key=KEY"]),
    ],
)
def test_the_command_is_the_schemes_own(make_app, make, options):  # F-49
    app, _ = serve(make_app, make(), UNAUTHORIZED_EXPLAIN=True)
    assert shlex.split(debug_of(app)["schemes"][0]["command"]) == ["curl", "-i", *options, "http://localhost/"]


def test_the_paragraph_is_the_schemes_own(make_app):  # F-49
    class Specified(Ticket):
        specification = {"invalid_token": ("Ticket handbook, page 7", "https://tickets.example/7")}

    app, _ = serve(make_app, Specified(load), UNAUTHORIZED_EXPLAIN=True)
    told = debug_of(app, "Ticket bad")
    assert (told["specification"], told["specification_url"]) == (
        "Ticket handbook, page 7",
        "https://tickets.example/7",
    )
    assert debug_of(app)["specification"].startswith("RFC 9110")


# --- Basic beside Digest (F-40)


def test_basic_beside_digest_is_told_once(make_app, caplog):  # F-40
    auth = Auth(Digest(lambda name: "pw", realm="a"), Basic(lambda name, password: None))
    for app in (make_app(auth, SECRET_KEY=KEY), make_app(auth, SECRET_KEY=KEY)):
        caplog.clear()
        app.add_url_rule("/", f"view{app.name}", auth.login_required(lambda: "in"))
        for _ in range(3):
            auth.check(app)
        app.test_client().get("/")
        assert caplog.text.count("Basic beside Digest") == 1


def test_what_check_warns_of_is_told_once(make_app, caplog):  # F-40
    auth = Auth(SessionCookie(load))
    app = make_app(auth, SECRET_KEY="dev", TESTING=False)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    for _ in range(3):
        auth.check(app)
    app.test_client().get("/")
    for text in ("SECRET_KEY is short", "SESSION_COOKIE_SECURE is False", "SESSION_COOKIE_SAMESITE is not set"):
        assert caplog.text.count(text) == 1


# --- subclasses, and schemes without a challenge


def test_a_subclass_of_a_scheme_hands_its_secret_to_load(make_app):
    class Traced(Bearer):
        def verify(self, credentials, request):
            return self.load(credentials)

    app = app_with_view(make_app, Auth(Traced(lambda token: f"user of {token}")))
    assert app.test_client().get("/", headers={"Authorization": "Bearer x"}).text.startswith("user of x ")


class Silent(Scheme[str]):
    name = "Silent"
    reads = (("authorization", "silent"),)

    def __init__(self, always: bool) -> None:
        super().__init__()
        self.always = always

    def read(self, request, rest):
        return rest

    def verify(self, credentials, request):
        return None

    def challenges(self, realm, error, request):
        return () if self.always or error else (Challenge("Silent", {"realm": realm}),)


def test_a_scheme_without_a_challenge_for_an_error_still_sends_its_clean_one(make_app):
    auth = Auth(Silent(always=False), realm="r")
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    answer = app.test_client().get("/", headers={"Authorization": "Silent x"})
    assert answer.headers.getlist("WWW-Authenticate") == ['Silent realm="r"']


def test_a_scheme_without_any_challenge_is_refused(make_app):
    auth = Auth(Silent(always=True))
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    with pytest.raises(ConfigurationError, match="at least one"):
        auth.check(app)


def test_a_scheme_that_knows_the_login_needs_the_method_for_it(make_app):
    class Forgetful(Bearer):
        knows_login = True

    auth = Auth(Forgetful(lambda token: "ada"))
    app = make_app(auth)
    with pytest.raises(ConfigurationError, match=r"^Forgetful.knows_login is True, and Forgetful has no login_of\(\)"):
        auth.check(app)
