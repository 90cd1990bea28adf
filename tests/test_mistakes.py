"""What a developer reads after a mistake: what happened, the value, and what to write instead (F-49)."""

import datetime

import pytest
from flask import Blueprint, Flask, Response
from flask.views import MethodView
from werkzeug.exceptions import ServiceUnavailable

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Challenge,
    ConfigurationError,
    Digest,
    DPoP,
    Forbidden,
    Identity,
    InvalidCredentials,
    SessionCookie,
    StepUpRequired,
    abort_unauthorized,
    any_of,
)
from flask_unauthorized.certificates import ClientCert
from flask_unauthorized.loaders import StaticTokens
from flask_unauthorized.loaders.jwt import JWT
from flask_unauthorized.schemes.remote_user import RemoteUser

ISSUER = "https://id.example.com"


class Load:
    """A loader whose ``repr`` is the same in each run."""

    def __call__(self, token):
        return None

    def __repr__(self):
        return "<load>"


class Page(MethodView):
    """A class view."""


load = Load()


def load_pair(name, password):
    return None


def view():
    return "x"


def shop(*schemes, **config):
    """An Auth and its app, which has the endpoints ``login``, ``health`` and ``static``."""
    auth, app = Auth(*(schemes or (Bearer(load),))), Flask("shop")
    app.config.update(SECRET_KEY="x" * 40, TESTING=True, **config)
    auth.init_app(app)
    app.add_url_rule("/login", "login", view)
    app.add_url_rule("/health", "health", lambda: "y")
    return auth, app


def demand(**demands):
    return shop()[0].login_required(**demands)


def served():
    auth, app = shop()
    app.test_client().get("/health")
    return auth, app


def bare(**config):
    app = Flask("bare")
    app.config.update(config)
    return app


def checked(*schemes, change=lambda auth, app: None, **config):
    auth, app = shop(*schemes, **config)
    change(auth, app)
    auth.check(app)


def returned(value):
    returned_by(Bearer(lambda token: value))


def returned_by(bearer):
    auth, app = shop(bearer)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    app.test_client().get("/", headers={"Authorization": "Bearer x"})


def aborted(*args, **kwargs):
    _, app = shop()
    with app.test_request_context():
        abort_unauthorized(*args, **kwargs)


def logged_in(who, *schemes, **options):
    auth, app = shop(*schemes)
    with app.test_request_context():
        auth.login(who, **options)


def undecorated(auth, app):
    def late():
        raise AssertionError("not called")

    late.__qualname__ = "late"
    app.add_url_rule("/late", "late", late)
    auth.login_required(late)


def of_blueprint(name):
    def change(auth, app):
        console = Blueprint("console", __name__)
        console.add_url_rule("/console", "index", view)
        auth.protect(console, public={name})
        app.register_blueprint(console)

    return change


def guarded_view():
    auth, _ = shop()

    def account():
        raise AssertionError("not called")

    account.__qualname__ = "account"
    return auth, account


def both(first, second):
    auth, account = guarded_view()
    getattr(auth, first)(getattr(auth, second)(account))


def stacked(**demands):
    bearer, key = Bearer(load), APIKey(load)
    auth, _ = shop(bearer, key)
    if not demands:
        return auth.login_required(via=bearer)(auth.login_required(via=key)(lambda: "x"))
    return auth.login_required(acr="gold")(auth.login_required(**demands)(lambda: "x"))


def twice_protected():
    auth, app = shop()
    auth.protect(app)
    auth.protect(app, scopes={"read"})


def foreign_bearer(where):
    auth, _ = shop()
    getattr(auth, where)(via=Bearer(load))


def late_init():
    app = bare()
    app.test_client().get("/")
    Auth(Bearer(load)).init_app(app)


async def async_function(token):
    return True


def recognizing(recognizes):
    def load(token):
        return token

    load.recognizes = recognizes
    return load


def second_loader():
    bearer = Bearer(load)
    bearer.loader(load)


def same_object_twice():
    bearer = Bearer(load)
    Auth(bearer, bearer)


def two_renderers():
    auth, _ = shop()
    for _ in range(2):
        auth.renderer("text/csv")(lambda error: "x")


SETTINGS = (
    "UNAUTHORIZED_REALM, UNAUTHORIZED_GUARD, UNAUTHORIZED_EXPLAIN, UNAUTHORIZED_REQUIRE_HTTPS, "
    "UNAUTHORIZED_PROBLEM_BASE, UNAUTHORIZED_MAX_CREDENTIALS, UNAUTHORIZED_ONE_LINE, "
    "UNAUTHORIZED_LOG_SUBJECTS"
)
KEYWORDS = "via, scopes, roles, acr, amr, max_age"
NO_USER = "which cannot be a user: return an Identity, your user object, a non-empty subject, or None for no"
SCOPE_RULE = 'use one or more printable ASCII characters without blank, " and \\ (RFC 6749 §3.3)'
NOT_AN_ORIGIN = "which is not an origin: write https://host or https://host:port, the host in ASCII"

MISTAKES = {
    # --- decorators
    "the decorator above the route": (
        lambda: checked(change=undecorated),
        ConfigurationError,
        "endpoint 'late' is registered without its guard: late was decorated with @auth.login_required, but above the "
        "route. Put the route on top:\n\n    @app.get(...)\n    @auth.login_required\n    def late(): ...",
    ),
    "a decorated class": (
        lambda: shop()[0].login_required(Page),
        TypeError,
        "login_required decorates functions; in class Page write: decorators = [auth.login_required]",
    ),
    "the argument without its keyword": (
        lambda: shop()[0].login_required("admin"),
        TypeError,
        "login_required decorates a view, not 'admin': write @auth.login_required or "
        "@auth.login_required(scopes={...}, via=...)",
    ),
    "public with an argument without its keyword": (
        lambda: shop()[0].public(5),
        TypeError,
        "public decorates a view, not 5: write @auth.public or @auth.public(via=...)",
    ),
    "a view and keywords": (
        lambda: shop()[0].login_required(view, scopes={"read"}),
        TypeError,
        "login_required takes a view alone, or keywords: @auth.login_required(scopes={...})",
    ),
    "above staticmethod": (
        lambda: shop()[0].login_required(staticmethod(view)),
        TypeError,
        "login_required stands below @staticmethod: swap the two decorators",
    ),
    "public above a guard": (
        lambda: both("public", "login_required"),
        ConfigurationError,
        "account is guarded and public: remove one of the decorators",
    ),
    "a guard above public": (
        lambda: both("login_required", "public"),
        ConfigurationError,
        "account is public and guarded: remove one of the decorators",
    ),
    "stacked schemes": (
        stacked,
        ConfigurationError,
        "no scheme meets both Requirement(via=['Bearer']) and Requirement(via=['ApiKey']): stacked decorators must "
        "share a scheme in via",
    ),
    "stacked acr": (
        lambda: stacked(acr="silver"),
        ConfigurationError,
        "no acr meets both ['gold'] and ['silver']: share one",
    ),
    # --- keywords of other libraries, and typos
    "role": (
        lambda: demand(role="admin"),
        TypeError,
        'login_required() has no keyword role: did you mean roles? Write roles={"admin"}',
    ),
    "roles in groups": (
        lambda: demand(roles=[["admin", "user"]]),
        TypeError,
        "roles must hold non-empty str or any_of(...), not ['admin', 'user']: "
        'roles={"admin", "user"} demands all of them, and roles=any_of("admin", "user") one',
    ),
    "scheme of Basic": (
        lambda: Basic(scheme="Form"),
        TypeError,
        'Basic() has no keyword scheme: did you mean script_alias? script_alias="Form" also takes that name of the '
        "scheme",
    ),
    "scheme of Bearer": (
        lambda: Bearer(scheme="Token"),
        TypeError,
        'Bearer() has no keyword scheme: did you mean name? name="Token" is another name of the scheme',
    ),
    "header of Bearer": (
        lambda: Bearer(header="X-Token"),
        TypeError,
        "Bearer() has no keyword header: Bearer reads Authorization. For a field of its own, write "
        'APIKey(header="X-Token")',
    ),
    "scheme of APIKey": (
        lambda: APIKey(header="X-Token", scheme="Bearer"),
        TypeError,
        "APIKey() has no keyword scheme: the field holds the key alone, without the name of a scheme, so leave it out",
    ),
    "use_ha1_pw": (
        lambda: Digest(use_ha1_pw=True),
        TypeError,
        'Digest() has no keyword use_ha1_pw: return {"MD5": ha1} from the loader, which stands for a stored hash',
    ),
    "permissions": (
        lambda: demand(permissions={"read"}),
        TypeError,
        'login_required() has no keyword permissions: did you mean scopes? Write scopes={"read"}',
    ),
    "fresh": (
        lambda: demand(fresh=True),
        TypeError,
        "login_required() has no keyword fresh: did you mean max_age? max_age=300 demands a login in the last 300 "
        "seconds",
    ),
    "refresh": (
        lambda: demand(refresh=True),
        TypeError,
        "login_required() has no keyword refresh: give refresh tokens a scheme of their own, and name it with "
        "via=scheme",
    ),
    "locations": (
        lambda: demand(locations=["headers"]),
        TypeError,
        "login_required() has no keyword locations: name the schemes with via=scheme",
    ),
    "mfa": (
        lambda: demand(mfa=True),
        TypeError,
        'login_required() has no keyword mfa: did you mean acr? acr="gold" demands a login of that class',
    ),
    "optional": (
        lambda: demand(optional=True),
        TypeError,
        "login_required() has no keyword optional: write @auth.login_optional",
    ),
    "required": (
        lambda: shop()[0].login_optional(required=True),
        TypeError,
        "login_optional() has no keyword required: write @auth.login_required",
    ),
    "schemes": (
        lambda: demand(schemes=[]),
        TypeError,
        "login_required() has no keyword schemes: name the schemes with via=scheme",
    ),
    "public= of a decorator": (
        lambda: demand(public=True),
        TypeError,
        "login_required() has no keyword public: mark a view that is open with @auth.public",
    ),
    "realm of a view": (
        lambda: demand(realm="x"),
        TypeError,
        "login_required() has no keyword realm: a realm belongs to a scheme, Bearer(load, realm=...), or to the Auth",
    ),
    "a typo": (
        lambda: demand(maxage=5),
        TypeError,
        "login_required() has no keyword maxage: did you mean max_age?",
    ),
    "a keyword of nobody": (
        lambda: shop()[0].require(color="x"),
        TypeError,
        f"require() has no keyword color: it takes {KEYWORDS}, redirect, no_store, authorization_details",
    ),
    "exempt= of protect": (
        lambda: shop()[0].protect(bare(), exempt={"login"}),
        TypeError,
        'protect() has no keyword exempt: write public={"login"}',
    ),
    "optional= of protect": (
        lambda: shop()[0].protect(bare(), optional=True),
        TypeError,
        "protect() has no keyword optional: decorate the view with @auth.login_optional",
    ),
    "public with demands": (
        lambda: shop()[0].public(scopes={"read"}),
        TypeError,
        "public() has no keyword scopes: a public view demands nothing, so it takes only via and reason",
    ),
    "Auth(schemes=)": (
        lambda: Auth(schemes=[Bearer(load)]),
        TypeError,
        "Auth() has no keyword schemes: it takes app, realm, implied_scopes, unavailable, challenge_order, bound_only",
    ),
    "APIKey(name=)": (
        lambda: APIKey(load, name="X-Key"),
        TypeError,
        "APIKey() has no keyword name: it takes loader, header, query, cookie, realm, trusted_origins, throttle",
    ),
    "Digest(algorithm=)": (
        lambda: Digest(load, algorithm="MD5"),
        TypeError,
        "Digest() has no keyword algorithm: did you mean algorithms?",
    ),
    # --- demands
    "scopes as a str": (
        lambda: demand(scopes="read write"),
        TypeError,
        'scopes=\'read write\' is a bare string: write scopes={"read", "write"}',
    ),
    "roles as a str": (
        lambda: demand(roles="admin"),
        TypeError,
        "roles='admin' is a bare string: write roles={\"admin\"}",
    ),
    "scopes as a dict": (
        lambda: demand(scopes={"read": True}),
        TypeError,
        "scopes must be a collection of str or any_of(...), not {'read': True}",
    ),
    "a blank in a scope": (
        lambda: demand(scopes={"read write"}),
        ConfigurationError,
        f'scope \'read write\' is not a scope token: {SCOPE_RULE}. To demand all of them, write {{"read", "write"}}',
    ),
    "a quote in a scope": (
        lambda: demand(scopes={'re"ad'}),
        ConfigurationError,
        f"scope 're\"ad' is not a scope token: {SCOPE_RULE}",
    ),
    "no scopes": (
        lambda: demand(scopes=[]),
        ConfigurationError,
        "scopes is empty, which means neither all nor none: leave it out or name some",
    ),
    "None in roles": (
        lambda: demand(roles=[None]),
        TypeError,
        "roles must hold non-empty str or any_of(...), not None",
    ),
    "a list for any_of": (
        lambda: any_of(["a", "b"]),
        TypeError,
        "any_of takes non-empty str, not ['a', 'b']: write any_of('a', 'b')",
    ),
    "any_of nothing": (
        any_of,
        ConfigurationError,
        "any_of() without names would reject every caller: name at least one",
    ),
    "acr as a set": (
        lambda: demand(acr={"gold"}),
        TypeError,
        "acr must be a str or a list of str in order of preference, not {'gold'}",
    ),
    "max_age as a timedelta with a fraction": (
        lambda: demand(max_age=datetime.timedelta(seconds=1.5)),
        TypeError,
        "max_age must be a whole number of seconds, or a timedelta of whole seconds, not "
        "datetime.timedelta(seconds=1, microseconds=500000)",
    ),
    "max_age below 0": (
        lambda: demand(max_age=-1),
        ConfigurationError,
        "max_age must be 0 to 2147483648 seconds, not -1",
    ),
    "via by name": (
        lambda: demand(via="bearer"),
        TypeError,
        "via must be a scheme object or a collection of them, not 'bearer': name the objects that you gave to "
        "Auth(...)",
    ),
    "via of another Auth": (  # T-03: via= names one of the Auth's own schemes
        lambda: foreign_bearer("login_required"),
        ConfigurationError,
        "via names <Bearer Bearer>, which this Auth doesn't have: pass it to Auth(...)",
    ),
    "via of nothing": (
        lambda: demand(via=[]),
        ConfigurationError,
        "via is empty, so every caller would be rejected: leave it out or name a scheme",
    ),
    # --- protect
    "protect by name": (
        lambda: shop()[0].protect("shop"),
        TypeError,
        "protect() takes an app or a blueprint, not 'shop'",
    ),
    "public as a str": (
        lambda: shop()[0].protect(bare(), public="login"),
        TypeError,
        "public='login' is a bare string: write public={\"login\"}",
    ),
    "public as a flag": (
        lambda: shop()[0].protect(bare(), public=True),
        TypeError,
        'public must be a collection of endpoint names, not True: write public={"static"}',
    ),
    "public as a class": (
        lambda: shop()[0].protect(bare(), public={Forbidden}),
        TypeError,
        "public must hold the names of endpoints, not <class 'flask_unauthorized.errors.Forbidden'>: write "
        'public={"Forbidden"}',
    ),
    "a typo in public": (
        lambda: checked(change=lambda auth, app: auth.protect(app, public={"logn"})),
        ConfigurationError,
        "protect(public=...) names 'logn', but there is no endpoint 'logn': did you mean 'login'?",
    ),
    "a path in public": (
        lambda: checked(change=lambda auth, app: auth.protect(app, public={"/login"})),
        ConfigurationError,
        "protect(public=...) names '/login', but there is no endpoint '/login': did you mean 'login'?",
    ),
    "an unknown name in public": (
        lambda: checked(change=lambda auth, app: auth.protect(app, public={"zzz"})),
        ConfigurationError,
        "protect(public=...) names 'zzz', but there is no endpoint 'zzz': there are health, login, static",
    ),
    "a blueprint's name in its public": (
        lambda: checked(change=of_blueprint("console.index")),
        ConfigurationError,
        "protect(public=...) names 'console.index', but there is no endpoint 'console.console.index': names are "
        "relative to the blueprint, write 'index'",
    ),
    "a typo in a blueprint's public": (
        lambda: checked(change=of_blueprint("indx")),
        ConfigurationError,
        "protect(public=...) names 'indx', but there is no endpoint 'console.indx': did you mean 'index'?",
    ),
    "protected twice": (
        twice_protected,
        ConfigurationError,
        "<Flask 'shop'> is already protected with Requirement(): call protect() once, with all demands",
    ),
    "protected late": (
        lambda: (lambda auth, app: auth.protect(app))(*served()),
        ConfigurationError,
        "the app 'shop' has served a request: call protect() before the first one",
    ),
    # --- Auth and its apps
    "no scheme": (
        lambda: Auth().init_app(bare()),
        ConfigurationError,
        "Auth has no scheme, so it would reject every caller: Auth(Bearer(load_user))",
    ),
    "the app in place of a scheme": (
        lambda: Auth(bare()),
        TypeError,
        "Auth takes scheme objects such as Bearer(load_user), not <Flask 'bare'>: pass the app as app=app, or to "
        "init_app()",
    ),
    "a scheme's class": (
        lambda: Auth(Bearer),
        TypeError,
        "Auth takes scheme objects such as Bearer(load_user), not <class 'flask_unauthorized.schemes.bearer.Bearer'>: "
        "make an object, Bearer(load_user)",
    ),
    "a list of schemes": (
        lambda: Auth([Bearer(load)]),
        TypeError,
        "Auth takes scheme objects such as Bearer(load_user), not [<Bearer Bearer>]: pass each of them as an argument "
        "of its own",
    ),
    "a loader in place of a scheme": (
        lambda: Auth(load),
        TypeError,
        "Auth takes scheme objects such as Bearer(load_user), not <load>: pass the loader to a scheme, "
        "Bearer(load_user)",
    ),
    "a scheme twice": (same_object_twice, ConfigurationError, "Auth was given <Bearer Bearer> twice: give it once"),
    "a realm that is no str": (lambda: Auth(Bearer(load), realm=5), TypeError, "realm must be a str, not 5"),
    "implied_scopes as a list": (
        lambda: Auth(Bearer(load), implied_scopes=["write"]),
        TypeError,
        'implied_scopes must map a scope to those that it includes, not [\'write\']: {"write": {"read"}}',
    ),
    "implied_scopes to a str": (
        lambda: Auth(Bearer(load), implied_scopes={"write": "read"}),
        TypeError,
        'implied_scopes maps a scope to a collection of str, not to \'read\': {"write": {"read"}}',
    ),
    "implied_scopes in a circle": (
        lambda: Auth(Bearer(load), implied_scopes={"a": {"b"}, "b": {"a"}}),
        ConfigurationError,
        "implied_scopes goes in a circle: a -> b -> a",
    ),
    "one class for unavailable": (
        lambda: Auth(Bearer(load), unavailable=OSError),
        TypeError,
        "unavailable must be a sequence: write unavailable=(OSError,)",
    ),
    "a number for unavailable": (
        lambda: Auth(Bearer(load), unavailable=5),
        TypeError,
        "unavailable must be a sequence of exception classes, not 5",
    ),
    "an HTTP error for unavailable": (
        lambda: Auth(Bearer(load), unavailable=(ServiceUnavailable,)),
        TypeError,
        "unavailable must be a sequence of exception classes of your dependencies, not "
        "<class 'werkzeug.exceptions.ServiceUnavailable'>",
    ),
    "names for challenge_order": (
        lambda: Auth(Bearer(load), challenge_order="Bearer"),
        TypeError,
        "challenge_order must be a sequence of the schemes of this Auth, not 'Bearer': write challenge_order=[scheme]",
    ),
    "a blueprint for init_app": (
        lambda: Auth(Bearer(load)).init_app(Blueprint("console", __name__)),
        TypeError,
        "init_app takes a Flask app, not <Blueprint 'console'>: auth.protect(blueprint) guards a blueprint",
    ),
    "init_app twice": (
        lambda: (lambda auth, app: auth.init_app(app))(*shop()),
        ConfigurationError,
        "init_app was called twice for the app 'shop': call it once",
    ),
    "two Auths on an app": (
        lambda: Auth(Bearer(load)).init_app(shop()[1]),
        ConfigurationError,
        "the app 'shop' has another Auth already: give all schemes to one Auth",
    ),
    "init_app too late": (
        late_init,
        ConfigurationError,
        "the app 'bare' has served a request: call init_app before the first one",
    ),
    "no init_app": (
        lambda: Auth(Bearer(load)).check(bare()),
        ConfigurationError,
        "no Auth serves the app 'bare': call auth.init_app(app) when making it",
    ),
    "check by name": (lambda: Auth(Bearer(load)).check("shop"), TypeError, "check takes a Flask app, not 'shop'"),
    "check by another Auth": (
        lambda: Auth(Bearer(load)).check(shop()[1]),
        ConfigurationError,
        "the app 'shop' is served by another Auth: call check() of that one",
    ),
    # --- settings
    "a typo in a setting": (
        lambda: Auth(Bearer(load)).init_app(bare(UNAUTHORIZED_RELM="x")),
        ConfigurationError,
        f"UNAUTHORIZED_RELM is not a setting: did you mean UNAUTHORIZED_REALM? All: {SETTINGS}",
    ),
    "a setting that is an argument": (
        lambda: Auth(Bearer(load)).init_app(bare(UNAUTHORIZED_LOGIN_VIEW="login")),
        ConfigurationError,
        f"UNAUTHORIZED_LOGIN_VIEW is not a setting: the settings are {SETTINGS}",
    ),
    "an unknown guard": (
        lambda: Auth(Bearer(load)).init_app(bare(UNAUTHORIZED_GUARD="loose")),
        ConfigurationError,
        "UNAUTHORIZED_GUARD='loose': use one of repair, strict, off",
    ),
    "a flag from the environment": (
        lambda: Auth(Bearer(load)).init_app(bare(UNAUTHORIZED_EXPLAIN="true")),
        ConfigurationError,
        "UNAUTHORIZED_EXPLAIN='true': use True or False",
    ),
    "a relative problem base": (
        lambda: Auth(Bearer(load)).init_app(bare(UNAUTHORIZED_PROBLEM_BASE="/errors")),
        ConfigurationError,
        "UNAUTHORIZED_PROBLEM_BASE='/errors' is not an absolute URI without blank, quote and backslash (RFC 6750 §3): "
        "write https://example.com/errors/",
    ),
    "no SECRET_KEY": (
        lambda: checked(SessionCookie(load), change=lambda auth, app: app.config.update(SECRET_KEY=None)),
        ConfigurationError,
        "SessionCookie needs app.config['SECRET_KEY'], and neither it nor one of SECRET_KEY_FALLBACKS may be empty: "
        "use secrets.token_hex()",
    ),
    # --- loaders
    "a loader with too few parameters": (
        lambda: Basic(load),
        ConfigurationError,
        "the loader of Basic is called with 2 arguments, but Load(token) doesn't take that: give it 2 positional "
        "parameters",
    ),
    "a loader with too many parameters": (
        lambda: Bearer(load_pair),
        ConfigurationError,
        "the loader of Bearer is called with 1 argument, but load_pair(name, password) doesn't take that: give it 1 "
        "positional parameter",
    ),
    "a secret in place of a loader": (  # which no message may show
        lambda: APIKey("s3cret"),
        ConfigurationError,
        "the loader of APIKey must be callable, not str: pass a function, APIKey(load)",
    ),
    "tokens in place of a loader": (
        lambda: Bearer({"token": "ada"}),
        ConfigurationError,
        "the loader of Bearer must be callable, not dict: wrap it, Bearer(StaticTokens({...}))",
    ),
    "passwords in place of a loader": (
        lambda: Basic({"ada": "hash"}),
        ConfigurationError,
        "the loader of Basic must be callable, not dict: wrap it, Basic(Passwords({...}))",
    ),
    "no loader": (
        lambda: checked(Bearer()),
        ConfigurationError,
        "Bearer has no loader: pass one, Bearer(load), or register one with @scheme.loader; a subclass that asks none "
        "says needs_loader = False",
    ),
    "a second loader": (
        second_loader,
        ConfigurationError,
        "this Bearer has a loader already: make another scheme object, or pass all loaders at once, "
        "Bearer(load, other), which are then asked in order",
    ),
    "one loader twice": (
        lambda: Bearer(str, str),
        ConfigurationError,
        "Bearer has a loader twice (str): pass it once",
    ),
    "a secret beside a loader": (  # which no message may show
        lambda: APIKey(str, "s3cret"),
        ConfigurationError,
        "the loader of APIKey must be callable, not str: pass a function, APIKey(load)",
    ),
    "None before a loader": (
        lambda: Bearer(None, str),
        ConfigurationError,
        "the loader of Bearer must be callable, not NoneType: pass a function, Bearer(load)",
    ),
    "recognizes= as a value": (
        lambda: Bearer(str, recognizing(True)),
        ConfigurationError,
        "recognizes of loader 2 (load) is a bool: make it a method",
    ),
    "an async recognizes()": (
        lambda: Bearer(str, recognizing(async_function)),
        ConfigurationError,
        "recognizes() of loader 2 (load) is async: look at the form of the token only, without await",
    ),
    "recognizes() without the token": (
        lambda: Bearer(str, recognizing(lambda: True)),
        ConfigurationError,
        "recognizes() of loader 2 (load) is called with 1 argument, as the loader is, and doesn't take that",
    ),
    "recognizes() that returns no bool": (
        lambda: returned_by(Bearer(lambda token: None, recognizing(lambda token: token))),
        TypeError,
        "recognizes() of loader 2 (load) returned a str: return True or False",
    ),
    "parentheses too many": (
        lambda: Bearer().loader(),
        TypeError,
        "loader takes the function: write @scheme.loader without parentheses",
    ),
    "True from a loader of tokens": (
        lambda: returned(True),
        TypeError,
        "the loader of Bearer returned True, which names no caller: return an Identity, your user object or a "
        "non-empty subject for yes, and None for no",
    ),
    "a dict from a loader": (
        lambda: returned({"sub": "ada"}),
        TypeError,
        f"the loader of Bearer returned a dict, {NO_USER}",
    ),
    "a response from a loader": (
        lambda: returned(Response("no", 401)),
        TypeError,
        f"the loader of Bearer returned a Response, {NO_USER}",
    ),
    "an empty str from a loader": (
        lambda: returned(""),
        TypeError,
        f"the loader of Bearer returned an empty str, {NO_USER}",
    ),
    "a str for StaticTokens": (
        lambda: StaticTokens("token"),
        TypeError,
        "StaticTokens takes a mapping of token to Identity or subject, not str",
    ),
    # --- identities
    "a number for the subject": (
        lambda: Identity(5),
        TypeError,
        "subject must be a non-empty str or None, not 5",
    ),
    "scopes of an identity as a str": (
        lambda: Identity("ada", scopes="read"),
        TypeError,
        "scopes must be a collection of str, not 'read': write scopes={\"read\"}",
    ),
    "a datetime for expires_at": (
        lambda: Identity("ada", expires_at=datetime.datetime(2030, 1, 1)),
        TypeError,
        "expires_at must be seconds since 1970 or None, not datetime.datetime(2030, 1, 1, 0, 0): write "
        "expires_at=moment.timestamp()",
    ),
    # --- schemes
    "a flag that is a name": (
        lambda: Bearer(load, query="api_token"),
        TypeError,
        "query must be True or False, not 'api_token'",
    ),
    "bound_only alone": (
        lambda: Bearer(load, bound_only=True),
        ConfigurationError,
        "bound_only=True needs certificate=...: without it Bearer proves nothing",
    ),
    "Auth(bound_only=True) with a plain Bearer": (
        lambda: Auth(Bearer(load), bound_only=True),
        ConfigurationError,
        "bound_only=True needs certificate=...: without it Bearer proves nothing",
    ),
    "an underscore in a header": (
        lambda: APIKey(load, header="X_Key"),
        ConfigurationError,
        "header='X_Key' has an underscore, which servers drop: write 'X-Key'",
    ),
    "the key of a header in the environ": (
        lambda: APIKey(load, header="HTTP_X_KEY"),
        ConfigurationError,
        "header='HTTP_X_KEY' has an underscore, which servers drop: write 'X-Key'",
    ),
    "a header without the prefix HTTP_": (
        lambda: APIKey(load, header="Content-Type"),
        ConfigurationError,
        "header='Content-Type' describes the body: use a name of your own, X-API-Key",
    ),
    "RemoteUser(header=) without proxies": (
        lambda: RemoteUser(load, header="X-Forwarded-User"),
        ConfigurationError,
        "header='X-Forwarded-User' needs proxies=: any client can send this header, and would be logged in under any "
        "name. Name the addresses of the proxies that set it, such as proxies=['10.0.0.5']",
    ),
    "RemoteUser(proxies=) without a header": (
        lambda: RemoteUser(load, proxies=["10.0.0.5"]),
        ConfigurationError,
        "proxies= needs header=: without it REMOTE_USER is read, which the server that runs the app sets itself. Name "
        "the field that your proxies set, such as header='X-Forwarded-User'",
    ),
    "RemoteUser(header='REMOTE_USER')": (
        lambda: RemoteUser(load, header="REMOTE_USER", proxies=["10.0.0.5"]),
        ConfigurationError,
        "header='REMOTE_USER' isn't a header: leave header= out, and REMOTE_USER of the environ is read",
    ),
    "RemoteUser(header=) as a key of the environ": (
        lambda: RemoteUser(load, header="HTTP_X_FORWARDED_USER", proxies=["10.0.0.5"]),
        ConfigurationError,
        "header='HTTP_X_FORWARDED_USER' has an underscore, which servers drop: write 'X-Forwarded-User'",
    ),
    "RemoteUser(header=) of another scheme": (
        lambda: RemoteUser(load, header="Authorization", proxies=["10.0.0.5"]),
        ConfigurationError,
        "header='Authorization' belongs to another scheme: use a name of your own, X-API-Key",
    ),
    "proxies as a str": (
        lambda: RemoteUser(load, header="X-User", proxies="10.0.0.5"),
        TypeError,
        "proxies='10.0.0.5' is a bare string: write [\"10.0.0.5\"]",
    ),
    "proxies as a number": (
        lambda: RemoteUser(load, header="X-User", proxies=[10]),
        TypeError,
        "proxies must hold str, not 10",
    ),
    "no proxies": (
        lambda: RemoteUser(load, header="X-User", proxies=[]),
        ConfigurationError,
        'proxies is empty: name the addresses of your proxies, such as ["10.0.0.0/24"]',
    ),
    "a proxy by its name": (
        lambda: RemoteUser(load, header="X-User", proxies=["proxy.example"]),
        ConfigurationError,
        "proxies has 'proxy.example': write addresses or networks such as '10.0.0.5' and '10.0.0.0/24', or 'unix:'",
    ),
    "every address is a proxy": (
        lambda: RemoteUser(load, header="X-User", proxies=["::/0"]),
        ConfigurationError,
        "proxies has '::/0', which is every address, so any client could forge the field: name the addresses or the "
        "network of your proxies, such as '10.0.0.0/24'",
    ),
    "a challenge that is bare": (
        lambda: RemoteUser(load, challenge="Bearer"),
        ConfigurationError,
        "challenge='Bearer' can't be sent: a challenge 'Bearer' without a parameter, which that scheme does not "
        "define. Write it as in WWW-Authenticate, such as 'Negotiate' or 'Negotiate, Basic realm=\"intranet\"' "
        "(RFC 9110 §11.6.1)",
    ),
    "an empty challenge": (
        lambda: RemoteUser(load, challenge=""),
        ConfigurationError,
        "challenge='' can't be sent: it names no scheme. Write it as in WWW-Authenticate, such as 'Negotiate' or "
        "'Negotiate, Basic realm=\"intranet\"' (RFC 9110 §11.6.1)",
    ),
    "a challenge twice": (
        lambda: RemoteUser(load, challenge="Negotiate, Negotiate"),
        ConfigurationError,
        "challenge='Negotiate, Negotiate' can't be sent: a scheme stands twice. Write it as in WWW-Authenticate, such "
        "as 'Negotiate' or 'Negotiate, Basic realm=\"intranet\"' (RFC 9110 §11.6.1)",
    ),
    "a challenge that is no str": (
        lambda: RemoteUser(load, challenge=Challenge("Negotiate")),
        TypeError,
        "challenge must be a str such as 'Negotiate', not <Challenge Negotiate>",
    ),
    "a realm that isn't sent": (
        lambda: RemoteUser(load, challenge="Negotiate", realm="shop"),
        ConfigurationError,
        "realm='shop' is not sent, because challenge= replaces the challenge: leave it out",
    ),
    "two places for a key": (
        lambda: APIKey(load, header="X-Key", query="key"),
        ConfigurationError,
        "one place per APIKey, not header and query: make one object for each",
    ),
    "an origin with a path": (
        lambda: SessionCookie(load, trusted_origins={"https://shop.example/"}),
        ConfigurationError,
        f"trusted_origins has 'https://shop.example/', {NOT_AN_ORIGIN}",
    ),
    "an origin without a scheme": (
        lambda: SessionCookie(load, trusted_origins={"shop.example"}),
        ConfigurationError,
        f"trusted_origins has 'shop.example', {NOT_AN_ORIGIN}",
    ),
    "origins as a str": (
        lambda: SessionCookie(load, trusted_origins="https://shop.example"),
        TypeError,
        "trusted_origins='https://shop.example' is a bare string: write {\"https://shop.example\"}",
    ),
    "a URL for a store": (
        lambda: SessionCookie(load, store="redis://localhost"),
        TypeError,
        "store must be a Store, not 'redis://localhost': see flask_unauthorized.stores",
    ),
    "a typo in login_view": (
        lambda: checked(SessionCookie(load, login_view="logn")),
        ConfigurationError,
        "login_view='logn' is not an endpoint of the app 'shop': did you mean 'login'?",
    ),
    "a path for login_view": (
        lambda: checked(SessionCookie(load, login_view="/login")),
        ConfigurationError,
        "login_view='/login' is not an endpoint of the app 'shop': did you mean 'login'?",
    ),
    "a class for login_view": (
        lambda: SessionCookie(load, login_view=Page),
        TypeError,
        f"login_view must be the name of an endpoint, not {Page!r}: write 'Page'",
    ),
    "DPoP without origin": (
        lambda: DPoP(load),
        TypeError,
        'DPoP() needs origin: write origin="https://api.example.com", where clients reach the app',
    ),
    "two schemes that read the same": (
        lambda: checked(
            Bearer(load), Bearer(load), change=lambda auth, app: auth.protect(app, public={"login", "health"})
        ),
        ConfigurationError,
        "<Bearer Bearer> and <Bearer Bearer> both read 'authorization bearer' in one view, so it is open which "
        "decides: choose one with via=",
    ),
    "one proxy as a str": (
        lambda: ClientCert("10.0.0.1"),
        TypeError,
        "proxies='10.0.0.1' is a bare string: write [\"10.0.0.1\"]",
    ),
    # --- JWT
    "JWT without audience": (
        lambda: JWT(ISSUER),
        TypeError,
        'JWT() needs audience: write audience="https://api.example.com", the aud of tokens for this app; '
        "audience=None takes any",
    ),
    "JWT without issuer": (
        lambda: JWT(audience="x"),
        TypeError,
        'JWT() needs issuer: write JWT("https://id.example.com", audience=...), the iss of its tokens',
    ),
    "an http issuer": (
        lambda: JWT("http://localhost:8080/realms/shop", audience="x"),
        ConfigurationError,
        "issuer 'http://localhost:8080/realms/shop' must begin with https://, for its keys are fetched from there. For "
        "a demo on localhost give keys=JWKS.of_issuer(issuer, allow_http_loopback=True), with JWKS of "
        "flask_unauthorized.loaders.jwks; for http:// in a network of your own give JWKS a fetch= or Introspection a "
        "post=: your callable decides about the URL",
    ),
    "a secret for keys": (
        lambda: JWT(ISSUER, audience="x", keys="s3cret"),
        ConfigurationError,
        "keys must be made by public_key_pem(), public_key_jwk(), read_key_set() or hmac_key(): a str isn't guessed at",
    ),
    "RS256 with FAPI": (
        lambda: JWT(ISSUER, audience="x", profile="fapi2", algorithms=("RS256",)),
        ConfigurationError,
        "algorithms names RS256, and profile='fapi2' allows PS256, ES256, EdDSA, Ed25519 only (FAPI 2.0 Security "
        "Profile §5.4.1): leave algorithms= out, or name some of these",
    ),
    "a long leeway with FAPI": (
        lambda: JWT(ISSUER, audience="x", profile="fapi2", leeway=120),
        ConfigurationError,
        "leeway=120 is too long for profile='fapi2': expiration must be verified (FAPI 2.0 Security Profile §5.3.4), "
        "and more than 60 s is more than clocks differ: write leeway=60 or less",
    ),
    "an unknown profile": (
        lambda: JWT(ISSUER, audience="x", profile="oidc"),
        ConfigurationError,
        "profile='oidc': choose 'rfc9068', 'oidc-compat', 'jwt-extended' or 'fapi2'",
    ),
    # --- in a request
    "abort_unauthorized(scheme=)": (
        lambda: aborted(scheme="Bearer"),
        TypeError,
        "abort_unauthorized() has no keyword scheme: name the schemes to offer with via=scheme",
    ),
    "abort_unauthorized(realm=)": (
        lambda: aborted(realm="x"),
        TypeError,
        "abort_unauthorized() has no keyword realm: it takes error, via, reason",
    ),
    "abort_unauthorized(maxage=)": (
        lambda: aborted(error=StepUpRequired, maxage=5),
        TypeError,
        "abort_unauthorized() has no keyword maxage: did you mean max_age?",
    ),
    "abort_unauthorized(error=403)": (
        lambda: aborted(error=Forbidden),
        TypeError,
        "error must be a subclass of Unauthorized, not <class 'flask_unauthorized.errors.Forbidden'>: for 403 call "
        "abort_forbidden()",
    ),
    "abort_unauthorized with an object": (
        lambda: aborted(error=InvalidCredentials()),
        TypeError,
        "error must be a subclass of Unauthorized, not <InvalidCredentials '401: Unauthorized'>: write "
        "error=InvalidCredentials",
    ),
    "an unknown argument of an error": (
        lambda: InvalidCredentials(realm="x"),
        TypeError,
        "AuthError.__init__() got an unexpected keyword argument 'realm'",
    ),
    "a login without SessionCookie": (
        lambda: logged_in("ada"),
        ConfigurationError,
        "this Auth has 0 SessionCookie schemes, and logging in needs one: Auth(SessionCookie(load_user))",
    ),
    "a login of nobody": (
        lambda: logged_in(None, SessionCookie(load)),
        TypeError,
        "login() takes an Identity with a subject, a subject or a user with get_id(), not None: "
        "pass the user whom you looked up, or guard the view with @auth.login_required and pass auth.identity",
    ),
    "a key to keep without a collection": (
        lambda: logged_in("ada", SessionCookie(load), keep="cart"),
        TypeError,
        "keep='cart' is a bare string: write keep={\"cart\"}",
    ),
    "no keys to keep": (
        lambda: logged_in("ada", SessionCookie(load), keep=None),
        TypeError,
        'keep must be a collection of names, not None: write keep={"cart"}',
    ),
    # --- bodies
    "a renderer without a media type": (
        lambda: shop()[0].renderer(load),
        ConfigurationError,
        'renderer takes a media type, not <load>: write @auth.renderer("text/html")',
    ),
    "a short media type": (
        lambda: shop()[0].renderer("html"),
        ConfigurationError,
        "'html' is not a media type: write type/subtype, such as text/html",
    ),
    "two renderers": (
        two_renderers,
        ConfigurationError,
        "there is a renderer for text/csv already: register one only",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_the_value_and_the_fix(name):
    make, error, text = MISTAKES[name]
    with pytest.raises(error) as caught:
        make()
    assert type(caught.value) is error
    assert str(caught.value) == text
    assert "s3cret" not in text


def test_errors_inside_of_a_constructor_stay_as_they_are():
    class Broken:
        def __iter__(self):
            raise TypeError("my own")

    with pytest.raises(TypeError, match=r"^my own$"):
        Digest(load, domain=Broken())


def test_a_subclass_is_named_as_such():
    class Mine(Bearer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

    with pytest.raises(TypeError, match=r"^Mine\(\) has no keyword relam: did you mean realm\?$"):
        Mine(load, relam="x")
