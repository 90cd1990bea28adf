"""Several kinds of tokens in one scheme: loaders are asked in order, and the first that doesn't reject decides."""

import asyncio
import logging

import pytest
from flask import abort
from werkzeug import exceptions as http

from flask_unauthorized import (
    APIKey,
    Auth,
    Bearer,
    Challenge,
    ConfigurationError,
    DPoP,
    Identity,
    Scheme,
    abort_unauthorized,
    errors,
    signals,
)
from flask_unauthorized.errors.text import MAX_REASON
from flask_unauthorized.jose import public_key_pem
from flask_unauthorized.loaders import SignedTokens, StaticTokens
from flask_unauthorized.loaders.jwt import JWT, Issuers
from flask_unauthorized.wire import parse_challenges
from tests.dpop_client import ORIGIN, Holder
from tests.helpers import app_with_view
from tests.jose.signing import AUDIENCE, ISSUER, pem, token

SENT = {"Authorization": "Bearer s3cret", "X-API-Key": "s3cret"}


def loader(answer, asked=None, name="load"):
    """A loader that returns ``answer`` or raises it, and notes that it was asked."""

    def load(token):
        if asked is not None:
            asked.append(name)
        if isinstance(answer, BaseException) or (isinstance(answer, type) and issubclass(answer, BaseException)):
            raise answer
        return answer

    load.__name__ = name
    return load


@pytest.fixture
def ask(make_app):
    """Asks an app whose one scheme has the loaders given; 500s are answered, not raised."""

    def run(*loaders, scheme=Bearer, headers=SENT, **options):
        auth = Auth(scheme(*loaders), unavailable=[ConnectionError], **options)
        app = app_with_view(make_app, auth, lambda: f"{auth.identity.subject}", PROPAGATE_EXCEPTIONS=False)
        return app.test_client(use_cookies=False).get("/", headers=headers)

    return run


# --- who is asked, and who decides


@pytest.mark.parametrize("scheme", [Bearer, APIKey])
def test_loaders_are_asked_in_order_until_one_accepts(ask, scheme):
    asked = []
    answers = {"one": None, "two": "ada", "three": "eve"}
    loaders = [loader(answer, asked, name) for name, answer in answers.items()]
    response = ask(*loaders, scheme=scheme)
    assert (response.status_code, response.text) == (200, "ada")
    assert asked == ["one", "two"]


REJECTIONS = {
    "None": None, "invalid": errors.InvalidCredentials(), "expired": errors.ExpiredCredentials,
    "revoked": errors.RevokedCredentials, "missing": errors.MissingCredentials, "unauthorized": errors.Unauthorized(),
    "malformed": errors.MalformedCredentials, "abort(401)": http.Unauthorized(), "503": errors.AuthUnavailable(),
    "unavailable=": ConnectionError("no route to s3cret"),
}  # fmt: skip


@pytest.mark.parametrize("rejection", REJECTIONS.values(), ids=REJECTIONS)
def test_after_a_rejection_and_an_outage_another_loader_may_accept(ask, rejection):
    response = ask(loader(rejection), loader("ada"))
    assert (response.status_code, response.text) == (200, "ada")
    assert "WWW-Authenticate" not in response.headers


DECISIONS = {
    "step-up": (errors.StepUpRequired(max_age=60), 401), "403": (errors.Forbidden, 403),
    "429": (errors.TooManyAttempts(retry_after=7), 429), "abort(403)": (http.Forbidden(), 403),
    "abort(404)": (http.NotFound(), 404), "a bug": (KeyError("sub"), 500), "another bug": (ValueError(), 500),
    "False": (False, 500), "True": (True, 500), "0": (0, 500), "empty": ("", 500), "a dict": ({}, 500),
}  # fmt: skip


@pytest.mark.parametrize(("decision", "status"), DECISIONS.values(), ids=DECISIONS)
def test_everything_else_decides_at_once(ask, decision, status):
    """A bug of the first loader isn't hidden by the second one, and neither is a limit."""
    asked = []
    response = ask(loader(None), loader(decision), loader("ada", asked))
    assert (response.status_code, asked) == (status, [])
    assert response.headers.get("Retry-After") == ("7" if status == 429 else None)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_exits_pass(ask, error):
    with pytest.raises(error):
        ask(loader(error), loader("ada"))


def test_async_and_sync_loaders_are_mixed(make_app):
    async def later(token):
        await asyncio.sleep(0)
        return "ada" if token == "demo-token-of-ada-0123456789" else None

    static, table = StaticTokens({"demo-token-of-bob-0123456789": "bob"}), {"demo-token-of-cyd-0123456789": "cyd"}
    auth = Auth(Bearer(later, static, later.__call__, table.get))
    app = make_app(auth)
    app.add_url_rule("/sync", "sync", auth.login_required(lambda: auth.identity.subject))

    @app.get("/async")
    @auth.login_required
    async def async_view():
        return auth.identity.subject

    auth.check(app)
    client = app.test_client()
    for path in ("/sync", "/async"):
        for name, status in {"ada": 200, "bob": 200, "cyd": 200, "eve": 401}.items():
            response = client.get(path, headers={"Authorization": f"Bearer demo-token-of-{name}-0123456789"})
            assert response.status_code == status
            assert status == 401 or response.text == name


def test_the_token_is_verified_once_per_request(make_app):
    asked = []
    auth = Auth(Bearer(loader(None, asked, "one"), loader("ada", asked, "two")))
    app = make_app(auth)
    app.before_request(lambda: auth.get_identity() and None)
    view = auth.login_required(auth.login_optional(lambda: auth.identity.subject))
    app.add_url_rule("/", "view", view)
    assert app.test_client().get("/", headers=SENT).text == "ada"
    assert asked == ["one", "two"]


def test_dpop_takes_several_loaders(make_app):
    holder = Holder()
    bound = loader(Identity("ada", confirmation={"jkt": holder.jkt}))
    for loaders, status in (((loader(None), bound), 200), ((loader(None), loader(None)), 401)):
        app = app_with_view(make_app, Auth(DPoP(*loaders, origin=ORIGIN)))
        assert app.test_client().get("/", headers=holder.sent()).status_code == status


def test_an_unbound_token_isnt_offered_to_the_next_loader(make_app):
    """The first loader accepts the token. That DPoP refuses it then is not a rejection by the loader."""
    holder, asked = Holder(), []
    bound = loader(Identity("ada", confirmation={"jkt": holder.jkt}), asked)
    app = app_with_view(make_app, Auth(DPoP(loader(Identity("eve")), bound, origin=ORIGIN)))
    assert app.test_client().get("/", headers=holder.sent()).status_code == 401
    assert asked == []


def test_a_scheme_of_an_app_takes_several_loaders_and_their_false(make_app):
    class Ticket(Scheme[str]):
        name = "Ticket"
        names_subject = True

        def read(self, request, rest):
            return rest

        def subject(self, credentials):
            return credentials

        def verify(self, credentials, request):
            return self.load(credentials)

        def challenges(self, realm, error, request):
            return (Challenge("Ticket", {"realm": realm}),)

    sent = {"Authorization": "Ticket ada"}
    for last, status in ((True, 200), (False, 401)):
        app = app_with_view(make_app, Auth(Ticket(loader(False), loader(last))))
        assert app.test_client().get("/", headers=sent).status_code == status


# --- which error is sent


def error_of(response):
    if response.status_code not in (400, 401):
        return response.status_code, None
    (challenge,) = parse_challenges(response.headers["WWW-Authenticate"])
    return response.status_code, dict(challenge.params).get("error_description")


INVALID = (401, "The credentials are not valid.")
EXPIRED = (401, "The credentials have expired.")
REVOKED = (401, "The credentials have been revoked.")
REFUSALS = {
    "all return None": ([None, None], INVALID),
    "an expired token of the first": ([errors.ExpiredCredentials, None], EXPIRED),
    "an expired token of the last": ([None, errors.InvalidCredentials, errors.ExpiredCredentials], EXPIRED),
    "the first of two": ([errors.RevokedCredentials, errors.ExpiredCredentials], REVOKED),
    "a message of an app": ([None, errors.InvalidCredentials("Ask Ada."), None], (401, "Ask Ada.")),
    "expired before a message": ([errors.InvalidCredentials("Ask."), errors.ExpiredCredentials], EXPIRED),
    "abort(401) with a message": ([None, http.Unauthorized("Ask Ada.")], (401, "Ask Ada.")),
    "not missing": ([errors.MissingCredentials, None], INVALID),
    "malformed for one of them": ([errors.MalformedCredentials, None], INVALID),
    "malformed for all": ([errors.MalformedCredentials("No token."), errors.MalformedCredentials], (400, "No token.")),
    "unavailable": ([errors.ExpiredCredentials, errors.AuthUnavailable, None], (503, None)),
    "unavailable first": ([ConnectionError, errors.RevokedCredentials], (503, None)),
    "limited after an outage": ([ConnectionError, errors.TooManyAttempts], (429, None)),
    "a bug after an outage": ([ConnectionError, KeyError], (500, None)),
}  # fmt: skip


@pytest.mark.parametrize(("answers", "expected"), REFUSALS.values(), ids=REFUSALS)
def test_the_most_specific_error_is_sent(ask, answers, expected):
    assert error_of(ask(*map(loader, answers))) == expected


def test_the_fields_of_an_error_travel(ask):
    response = ask(loader(errors.AuthUnavailable(retry_after=42)), loader(errors.AuthUnavailable()))
    assert (response.status_code, response.headers["Retry-After"]) == (503, "42")


def test_an_error_object_of_the_app_is_left_as_it_is(ask):
    shared = errors.ExpiredCredentials(reason="mine")
    assert ask(loader(shared), loader(None)).status_code == 401
    assert (shared.reason, shared.challenges) == ("mine", ())


def test_a_loader_that_aborts_rejects_and_refuses_nothing(make_app):
    """``abort_unauthorized()`` in a loader sends no signal and no challenge if another loader accepts."""
    refused = []
    for last, status in (("ada", 200), (None, 401)):
        app = app_with_view(make_app, Auth(Bearer(lambda token: abort_unauthorized(), loader(last))))
        with signals.refused.connected_to(lambda sender, error, **extra: refused.append(error), app):
            response = app.test_client().get("/", headers=SENT)
        assert response.status_code == status
        assert len(refused) == (status == 401)
        assert ("WWW-Authenticate" in response.headers) is (status == 401)


# --- recognizes


class Kind:
    """A loader for tokens that begin with a sign."""

    def __init__(self, sign, asked):
        self.sign, self.asked = sign, asked

    def recognizes(self, token):
        return token.startswith(self.sign)

    def __call__(self, token):
        self.asked.append(self.sign)
        raise errors.ExpiredCredentials(reason=f"kind {self.sign}")


def test_a_loader_isnt_asked_for_a_token_of_another_kind(ask, caplog):
    asked = []
    caplog.set_level(logging.INFO, "flask_unauthorized")
    kinds = [Kind(sign, asked) for sign in "xsy"]
    assert error_of(ask(*kinds)) == EXPIRED
    assert asked == ["s"]
    assert caplog.messages == ["refused view: ExpiredCredentials (loader 2 (Kind): kind s)"]


def test_a_token_that_no_loader_recognizes_is_invalid(ask, caplog):
    caplog.set_level(logging.DEBUG, "flask_unauthorized")
    assert error_of(ask(Kind("x", []), StaticTokens({"a": "ada"}))) == INVALID
    assert caplog.messages == [
        "refused view: InvalidCredentials (no loader of Bearer recognizes the token: loader 1 (Kind), loader 2 "
        "(StaticTokens))"
    ]


def test_a_loader_without_recognizes_is_always_asked(ask):
    assert ask(Kind("x", []), loader("ada")).text == "ada"


@pytest.mark.parametrize(
    ("raised", "status"), [(KeyError, 500), (ConnectionError, 503), (errors.InvalidCredentials, 401)]
)
def test_what_recognizes_raises_is_as_if_the_loader_raised_it(ask, raised, status):
    load = loader("ada")
    load.recognizes = loader(raised)
    assert ask(load, loader(None)).status_code == status


@pytest.mark.parametrize("answer", [1, 0, None, "", object(), asyncio.sleep])
def test_recognizes_must_return_a_bool(ask, answer):
    load = loader("ada")
    load.recognizes = loader(answer)
    assert ask(load, loader("eve")).status_code == 500


def test_one_loader_is_never_asked_what_it_recognizes(ask):
    """A scheme with one loader works as before: the loader decides about each token."""
    load = loader("ada")
    load.recognizes = loader(AssertionError)
    assert ask(load).text == "ada"
    bearer = Bearer(load)
    assert bearer._loader is load


def test_ready_loaders_share_a_scheme(make_app):
    """Each ready loader is asked for its own tokens only, whatever the order is."""
    jwt = JWT(ISSUER, audience=AUDIENCE, keys=public_key_pem(pem("ES256")), algorithms=["ES256"])
    other = JWT("https://other.example", audience=AUDIENCE, keys=public_key_pem(pem("ES256")), algorithms=["ES256"])
    signed = SignedTokens("login", 60, secret_key="k" * 32)
    static = StaticTokens({"key-of-tom": "tom"})
    kinds = {"tom": "key-of-tom", "eve": signed.issue("eve"), "ada": token()}
    for loaders in ((jwt, other, signed, static), (static, signed, Issuers(other, jwt))):
        auth = Auth(Bearer(*loaders))
        app = app_with_view(make_app, auth, lambda auth=auth: auth.identity.subject)
        for subject, sent in kinds.items():
            assert [one.recognizes(sent) for one in loaders].count(True) == 1
            response = app.test_client().get("/", headers={"Authorization": f"Bearer {sent}"})
            assert (response.status_code, response.text) == (200, subject)


def test_an_issuer_in_a_forged_token_only_chooses_the_loader(make_app):
    """A token that claims an issuer is still verified by the keys of that issuer."""
    mine = JWT(ISSUER, audience=AUDIENCE, keys=public_key_pem(pem("ES256")), algorithms=["ES256"])
    theirs = JWT("https://other.example", audience=AUDIENCE, keys=public_key_pem(pem("ES256", 1)), algorithms=["ES256"])
    forged = token(iss="https://other.example")  # signed by the key of ISSUER
    assert (mine.recognizes(forged), theirs.recognizes(forged)) == (False, True)
    app = app_with_view(make_app, Auth(Bearer(mine, theirs)))
    assert app.test_client().get("/", headers={"Authorization": f"Bearer {forged}"}).status_code == 401


# --- logs, reasons and set-up


def test_the_reasons_of_all_loaders_are_logged(ask, caplog):
    caplog.set_level(logging.DEBUG, "flask_unauthorized")
    ask(loader(errors.InvalidCredentials(reason="not\nsigned"), name="one"), loader(None, name="two"))
    assert caplog.messages == [
        "loader 1 (one) of Bearer didn't accept the token: InvalidCredentials (not?signed)",
        "loader 2 (two) of Bearer didn't accept the token: InvalidCredentials (it returned None for the token)",
        "refused view: InvalidCredentials (loader 1 (one): not?signed; loader 2 (two): it returned None for the token)",
    ]
    assert [record.levelname for record in caplog.records] == ["DEBUG", "DEBUG", "INFO"]


def test_a_loader_without_a_reason_is_named_by_its_error(ask, caplog):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    ask(loader(errors.ExpiredCredentials, name="one"), loader(None, name="two"))
    assert caplog.messages[0].startswith("refused view: ExpiredCredentials (loader 1 (one): raised ExpiredCredentials;")


@pytest.mark.parametrize("count", [2, 3, 40])
def test_long_reasons_share_the_space(ask, caplog, count):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    ask(*(loader(errors.InvalidCredentials(reason="x" * 900), name=f"n{number}") for number in range(count)))
    (message,) = caplog.messages
    reason = message.removeprefix("refused view: InvalidCredentials (")[:-1]
    assert len(reason) <= MAX_REASON
    if count < 4:
        assert [part[:8] for part in reason.split("; ")] == [f"loader {number + 1}" for number in range(count)]


def test_an_outage_that_an_accepted_request_hides_is_logged(ask, caplog):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    assert ask(loader(ConnectionError("s3cret"), name="one"), loader(None), loader("ada", name="three")).text == "ada"
    assert caplog.messages == [
        "loader 1 (one) of Bearer is unavailable (the loader of Bearer raised ConnectionError, which unavailable= of "
        "Auth lists), and loader 3 (three) decided"
    ]
    assert caplog.records[0].levelname == "WARNING"


def test_no_frame_of_a_traceback_holds_the_token(make_app):
    """Debug pages and error trackers show local variables."""

    def broken(token):
        del token
        raise KeyError("sub")

    app = app_with_view(make_app, Auth(Bearer(lambda token: None, broken)), PROPAGATE_EXCEPTIONS=True)
    with pytest.raises(KeyError) as caught:
        app.test_client().get("/", headers=SENT)
    frames, trace = [], caught.value.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals["__name__"] == "flask_unauthorized.schemes.loader_chain":
            frames.append(trace.tb_frame)
        trace = trace.tb_next
    assert frames
    assert "s3cret" not in repr([frame.f_locals for frame in frames])


def test_each_loader_is_checked_before_the_first_request(make_app):
    checked = []

    class Checked:
        def __init__(self, name):
            self.name = name

        def __call__(self, token):
            return None

        def check_app(self, app):
            checked.append(self.name)
            if self.name == "three":
                raise ConfigurationError("three has no key")

    auth = Auth(Bearer(Checked("one"), Checked("two"), Checked("three")))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    with pytest.raises(ConfigurationError, match="three has no key"):
        auth.check(app)
    assert checked == ["one", "two", "three"]


def test_an_async_loader_among_several_needs_the_extra(make_app, monkeypatch):
    async def later(token):
        return None

    monkeypatch.setattr("flask_unauthorized.schemes.base.find_spec", lambda name: None)
    auth = Auth(Bearer(loader(None), later))
    with pytest.raises(ConfigurationError, match=r"the loader of Bearer is async: install flask\[async\]"):
        auth.check(make_app(auth))


def test_the_repr_names_the_loaders_and_shows_nothing_of_them():
    class Secretive:
        def __call__(self, token):
            return None

        def __repr__(self):
            return "s3cret"

    bearer = Bearer(StaticTokens({"s3cret": "ada"}), Secretive(), loader(None))
    assert repr(bearer._loader) == "<LoaderChain: StaticTokens, Secretive, load>"
    assert repr(bearer) == "<Bearer Bearer>"


def test_werkzeugs_401_of_a_loader_lets_the_next_one_decide(ask):
    assert ask(lambda token: abort(401), loader("ada")).text == "ada"


def test_a_second_loader_cannot_be_registered():
    bearer = Bearer(loader(None), loader(None))
    with pytest.raises(ConfigurationError, match="has a loader already"):
        bearer.loader(loader(None))
