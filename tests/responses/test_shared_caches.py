"""An answer to an identified caller isn't kept by a shared cache by accident (RFC 9111 §3, §3.5)."""

import io

import pytest
from flask import Response, request, send_file, send_from_directory

from flask_unauthorized import APIKey, Auth, Basic, Bearer, Digest, DPoP, Identity, SessionCookie, Unauthorized
from tests import digest_client
from tests.helpers import get_view

GOOD = {"Authorization": "Bearer good"}


def load(*credentials):
    return Identity("ada") if credentials[-1] in ("good", "pw") else None


def directives(response):
    text = ", ".join(response.headers.getlist("Cache-Control"))
    return sorted(part.strip() for part in text.split(",") if part.strip())


# What the app wrote, and what leaves. RFC 9111 §3.5: public, s-maxage and must-revalidate let a shared cache store the
# answer to a request with Authorization; §5.2.2.7: only an unqualified private keeps the whole answer out.
WRITTEN = [
    (["public, max-age=3600"], ["max-age=3600", "private"]),
    (["max-age=3600"], ["max-age=3600", "private"]),
    (["s-maxage=60"], ["private"]),
    (["S-MaxAge=60, PUBLIC"], ["private"]),
    (["must-revalidate, max-age=0"], ["max-age=0", "must-revalidate", "private"]),
    (["no-cache"], ["no-cache", "private"]),
    (["public", "max-age=60"], ["max-age=60", "private"]),
    (['private="Set-Cookie", max-age=60'], ["max-age=60", "private"]),
    (['no-cache="Set-Cookie", public'], ['no-cache="Set-Cookie"', "private"]),
    (["max-age=60, stale-while-revalidate=30, immutable, public"],
     ["immutable", "max-age=60", "private", "stale-while-revalidate=30"]),
    (["no-store"], ["no-store"]),
    (["no-store, public"], ["no-store"]),
    (["no-store, must-understand, public"], ["must-understand", "no-store", "private"]),
    (["private, max-age=60"], ["max-age=60", "private"]),
    ([",,"], ["private"]),
]  # fmt: skip


@pytest.mark.rfc("C-02", "H-33")
@pytest.mark.parametrize(("written", "expected"), WRITTEN, ids=lambda value: " ".join(value))
@pytest.mark.parametrize("carrier", ["bearer", "basic", "key", "query"])
@pytest.mark.parametrize("name", ["Cache-Control", "cache-control"])
def test_one_rule_for_all_carriers(make_app, carrier, written, expected, name):  # F-15
    scheme, sent = {
        "bearer": (Bearer(load), GOOD),
        "basic": (Basic(load), {"Authorization": "Basic YWRhOnB3"}),
        "key": (APIKey(load), {"X-API-Key": "good"}),
        "query": (APIKey(load, query="key"), {}),
    }[carrier]
    auth = Auth(scheme)
    app = make_app(auth)
    lines = [(name, value) for value in written]
    app.add_url_rule("/", "view", auth.login_required(lambda: Response("in", headers=lines)))
    response = app.test_client().get("/?key=good" if carrier == "query" else "/", headers=sent)
    assert (response.status_code, directives(response)) == (200, expected)


def test_a_written_private_stays_as_it_is(make_app):
    auth = Auth(Bearer(load))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: ("in", {"Cache-Control": "private,max-age=60"})))
    assert app.test_client().get("/", headers=GOOD).headers.getlist("Cache-Control") == ["private,max-age=60"]


@pytest.mark.parametrize("hook", ["after", "after_this", "cache_control"])
def test_a_hook_that_writes_it_counts_too(make_app, hook):  # F-15
    auth = Auth(Bearer(load))
    app = make_app(auth)

    @app.after_request
    def write(response):
        if hook == "cache_control":
            response.cache_control.public = True
            response.cache_control.max_age = 60
        else:
            response.headers["Cache-Control"] = "public, max-age=60"
        return response

    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    assert directives(app.test_client().get("/", headers=GOOD)) == ["max-age=60", "private"]


def test_nothing_is_added_where_the_app_wrote_nothing(make_app):
    """RFC 9111 §3.5: shared caches don't store it by themselves."""
    auth = Auth(Bearer(load))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    response = app.test_client().get("/", headers=GOOD)
    assert "Cache-Control" not in response.headers
    assert "Vary" not in response.headers


@pytest.mark.parametrize("where", ["decorator", "protect", "optional", "require", "blueprint"])
def test_wherever_the_caller_was_identified(make_app, where):  # F-15
    auth = Auth(Bearer(load))
    app = make_app(auth)
    view = lambda: ("in", {"Cache-Control": "public, max-age=5"})  # noqa: E731
    if where == "decorator":
        view = auth.login_required(view)
    elif where == "optional":
        view = auth.login_optional(view)
    elif where == "require":
        view = lambda: (auth.require().subject, {"Cache-Control": "public, max-age=5"})  # noqa: E731
    else:
        auth.protect(app)
    app.add_url_rule("/", "view", view)
    for _ in range(2):
        assert directives(app.test_client().get("/", headers=GOOD)) == ["max-age=5", "private"]


def test_anonymous_callers_and_open_views_keep_the_apps_word(make_app):
    auth = Auth(Bearer(load))
    app = make_app(auth)
    told = ("in", {"Cache-Control": "public, max-age=5"})
    app.add_url_rule("/optional", "optional", auth.login_optional(lambda: told))
    app.add_url_rule("/open", "open", auth.public(lambda: told))
    client = app.test_client()
    app.add_url_rule("/asks", "asks", lambda: told if auth.get_identity() is None else "somebody")
    assert client.get("/asks").headers["Cache-Control"] == "public, max-age=5"
    assert client.get("/optional").headers["Cache-Control"] == "public, max-age=5"
    assert client.get("/optional").headers["Vary"] == "Authorization"
    assert client.get("/open", headers=GOOD).headers["Cache-Control"] == "public, max-age=5"


# --- files


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "x.txt").write_text("0123456789")
    return tmp_path


SENDERS = {
    "send_file": lambda folder: send_file(folder / "x.txt", max_age=3600, conditional=True),
    "buffer": lambda folder: send_file(io.BytesIO(b"0123456789"), "text/plain", max_age=3600, etag="v1"),
    "directory": lambda folder: send_from_directory(folder, "x.txt", max_age=3600),
}


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("carrier", ["bearer", "basic", "key", "cookie", "digest", "dpop"])
def test_files_are_private_in_full_in_part_and_unchanged(make_app, folder, carrier, sender):  # F-15
    holder = None
    if carrier == "dpop":
        from tests.dpop_client import Holder

        holder = Holder()
    schemes = {
        "bearer": lambda: Bearer(load),
        "basic": lambda: Basic(load),
        "key": lambda: APIKey(load),
        "cookie": lambda: SessionCookie(Identity, login_view=None),
        "digest": lambda: Digest(lambda name: digest_client.ADA if name == "ada" else None),
        "dpop": lambda: DPoP(
            lambda token: Identity("ada", confirmation={"jkt": holder.jkt}), origin="https://api.example.com"
        ),
    }
    auth = Auth(schemes[carrier]())
    app = make_app(auth, SECRET_KEY="k" * 32)
    app.add_url_rule("/file", "file", auth.login_required(lambda: SENDERS[sender](folder)))

    @app.post("/login")
    def login():
        auth.login("ada")
        return "in"

    client = app.test_client()
    if carrier == "cookie":
        client.post("/login", base_url="https://api.example.com")

    def get(**more):
        sent = {"bearer": GOOD, "basic": {"Authorization": "Basic YWRhOnB3"}, "key": {"X-API-Key": "good"}}.get(carrier)
        if carrier == "digest":
            told = digest_client.challenge(client.get("/file").headers.getlist("WWW-Authenticate")[0])
            sent = digest_client.sent(told, uri="/file")
        elif carrier == "dpop":
            sent = holder.sent(path="/file")
        with client.get("/file", base_url="https://api.example.com", headers={**(sent or {}), **more}) as response:
            return response

    full = get()
    assert (full.status_code, directives(full)) == (200, ["max-age=3600", "private"])
    unchanged = get(**{"If-None-Match": full.headers["ETag"]})
    assert (unchanged.status_code, directives(unchanged)) == (304, ["max-age=3600", "private"])
    if sender != "buffer":
        part = get(Range="bytes=0-3")
        assert (part.status_code, directives(part)) == (206, ["max-age=3600", "private"])


def test_static_files_under_protect(make_app, folder):  # F-15
    auth = Auth(Bearer(load))
    app = make_app(auth, SEND_FILE_MAX_AGE_DEFAULT=3600)
    app.static_folder = str(folder)
    auth.protect(app)
    app.add_url_rule("/files/<path:filename>", "files", app.send_static_file)
    with app.test_client().get("/files/x.txt", headers=GOOD) as response:
        assert directives(response) == ["max-age=3600", "private"]


# --- on purpose


@pytest.mark.parametrize("carrier", ["bearer", "key"])
def test_a_view_may_allow_shared_caches(make_app, carrier):  # F-15
    scheme, sent = {"bearer": (Bearer(load), GOOD), "key": (APIKey(load), {"X-API-Key": "good"})}[carrier]
    auth = Auth(scheme)
    app = make_app(auth)

    @app.get("/")
    @auth.login_required
    def view():
        if "shared" in request.args:
            auth.allow_shared_cache()
        return "the same for all", {"Cache-Control": "public, s-maxage=60"}

    client = app.test_client()
    assert directives(client.get("/?shared", headers=sent)) == ["public", "s-maxage=60"]
    assert directives(client.get("/", headers=sent)) == ["private"]  # one request says nothing of the next
    assert directives(client.get("/?shared")) == ["no-store"]


def test_a_refusal_stays_no_store_whatever_the_view_allowed(make_app):
    auth = Auth(Bearer(load))
    app = make_app(auth)

    @app.get("/")
    @auth.login_required
    def view():
        auth.allow_shared_cache()
        auth.require(scopes={"write"})

    app.after_request(lambda response: response.headers.set("Cache-Control", "public") or response)
    assert directives(app.test_client().get("/", headers=GOOD)) == ["no-store"]


def test_targeted_fields_are_the_apps_own(make_app):
    """RFC 9213: CDN-Cache-Control goes before Cache-Control in a CDN. The docs say that it isn't covered."""
    auth = Auth(Bearer(load))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: ("in", {"CDN-Cache-Control": "max-age=60"})))
    response = app.test_client().get("/", headers=GOOD)
    assert response.headers["CDN-Cache-Control"] == "max-age=60"
    assert "Cache-Control" not in response.headers


ADA_BY_TOKEN = {"good": Identity("ada")}


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        (None, "private"),
        ("public, max-age=60", "max-age=60, private"),
        ("s-maxage=5", "private"),
        ("no-store", "no-store"),
    ],
)
def test_an_answer_to_a_key_is_kept_from_shared_caches(make_app, own, sent):
    auth = Auth(APIKey(ADA_BY_TOKEN.get))
    app = make_app(auth)
    headers = {} if own is None else {"Cache-Control": own}
    app.add_url_rule("/", "view", auth.login_required(lambda: ("in", 200, headers)))
    answer = app.test_client().get("/", headers={"X-API-Key": "good"})
    assert set(answer.headers["Cache-Control"].split(", ")) == set(sent.split(", "))
    assert answer.headers["Vary"] == "X-Api-Key"


@pytest.mark.asvs("V14.2.2")
@pytest.mark.rfc("C-01")
def test_an_accepted_answer_is_opened_to_no_shared_cache(make_app, auth):
    caching = get_view(make_app, auth, headers=GOOD).headers.get("Cache-Control", "")
    assert not {"public", "s-maxage", "must-revalidate"} & set(caching.replace("=", ",").replace(" ", "").split(","))


@pytest.mark.rfc("C-06", "H-32")
@pytest.mark.parametrize("kind", ["session", "key"])
def test_an_anonymous_answer_of_an_optional_view_varies_by_the_cookie(make_app, kind):
    auth = Auth(SessionCookie(lambda subject: subject) if kind == "session" else APIKey({}.get, cookie="key"))
    app = make_app(auth, SECRET_KEY="a secret of thirty-two characters")
    app.add_url_rule("/", "view", auth.login_optional(lambda: "for everybody"))
    answered = app.test_client().get("/")
    assert (answered.status_code, answered.text) == (200, "for everybody")
    assert "Cookie" in [name.strip() for name in answered.headers["Vary"].split(",")]


# --- optional views, and refusals that a view caught


def test_cac_04_an_answer_that_depends_on_a_caught_refusal_varies(auth, make_app):
    app = make_app(auth)

    @app.get("/")
    def index():
        try:
            return auth.require().subject
        except Unauthorized:
            return "anonymous"

    answer = app.test_client().get("/")
    assert (answer.text, answer.headers["Vary"]) == ("anonymous", "Authorization")


@pytest.mark.asvs("V14.2.2")
@pytest.mark.rfc("H-33", "C-02", "C-06")
@pytest.mark.parametrize(
    ("sent", "own", "cache", "vary"),
    [
        ({"X-API-Key": "good"}, {}, {"private"}, {"authorization", "x-api-key"}),
        ({"X-API-Key": "good"}, {"Cache-Control": "public, s-maxage=9, max-age=5"}, {"private", "max-age=5"}, None),
        ({"X-API-Key": "good"}, {"Cache-Control": "no-store"}, {"no-store"}, None),
        ({}, {}, set(), {"authorization", "x-api-key"}),
        ({}, {"Vary": "Accept, authorization"}, set(), {"accept", "authorization", "x-api-key"}),
        ({}, {"Vary": "*"}, set(), {"*"}),
    ],
    ids=["cac-03", "cac-03_public", "cac-03_no_store", "cac-04", "cac-06_list", "cac-06_star"],
)
def test_shared_caches_are_kept_out(make_app, sent, own, cache, vary):
    auth = Auth(Bearer(load), APIKey(load))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_optional(lambda: Response("fine", headers=own)))
    response = app.test_client().get("/", headers=sent)
    assert {part.strip() for part in response.headers.get("Cache-Control", "").split(",")} - {""} == cache
    names = [name.strip().lower() for line in response.headers.getlist("Vary") for name in line.split(",")]
    assert len(set(names)) == len(names)
    assert vary is None or set(names) == vary
