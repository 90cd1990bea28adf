"""An app with DPoP, and a client that holds the key of its token."""

from flask_unauthorized import Auth, Bearer, DPoP, Identity
from tests.dpop_client import ORIGIN, TOKEN, Holder

CHALLENGE = "WWW-Authenticate"
KEY = {"SECRET_KEY": "a secret of thirty-two characters"}
HOLDER = Holder()
STRANGER = Holder()


def params(line):
    """The parameters of one challenge, all of which are quoted."""
    scheme, _, rest = line.partition(" ")
    found = dict(part.split("=", 1) for part in rest.split(", "))
    return scheme, {name: value.strip('"') for name, value in found.items()}


class Served:
    """An app with DPoP (and Bearer where ``bearer``); its loader knows `TOKEN`, bound to the key of `HOLDER`."""

    def __init__(self, make_app, *, loader=None, bearer=False, view=None, demand=None, config=None, **options):
        self.ran = []
        self.asked = []
        self.confirmation = {"jkt": HOLDER.jkt}
        self.dpop = DPoP(loader or self.load, **{"origin": ORIGIN, "realm": "api", **options})
        self.bearer = Bearer(loader or self.load, realm="api")
        self.auth = Auth(self.bearer, self.dpop) if bearer else Auth(self.dpop)
        self.app = make_app(self.auth, **{**KEY, **(config or {})})
        guard = self.auth.login_required(**(demand or {}))
        methods = ["GET", "POST", "DELETE", "OPTIONS"]
        self.app.add_url_rule("/", "view", guard(view or self._view), methods=methods)
        self.app.add_url_rule("/<path:rest>", "any", guard(view or self._view), methods=methods)

    def load(self, token):
        self.asked.append(token)
        return Identity("ada", scopes={"read"}, confirmation=self.confirmation) if token == TOKEN else None

    def _view(self, rest=""):
        self.ran.append(rest)
        return {"who": self.auth.identity.subject}

    def ask(self, holder=HOLDER, *, path="/", method="GET", headers=None, **given):
        """The answer to a request with a proof, which is for that request unless ``given`` says otherwise."""
        sent = holder.sent(**{"path": path.partition("?")[0], "method": method, **given})
        return self.app.test_client().open(path, method=method, headers={**sent, **(headers or {})})

    def send(self, headers=None, path="/", method="GET", **given):
        return self.app.test_client().open(path, method=method, headers=headers, **given)


def error_of(response):
    """The OAuth error in the one challenge of DPoP."""
    (found,) = [told for scheme, told in map(params, response.headers.getlist(CHALLENGE)) if scheme == "DPoP"]
    return found.get("error")


def assert_proof_refused(served, response):
    assert (response.status_code, error_of(response)) == (401, "invalid_dpop_proof")
    assert served.ran == []


def assert_token_refused(served, response):
    assert (response.status_code, error_of(response)) == (401, "invalid_token")
    assert served.ran == []
