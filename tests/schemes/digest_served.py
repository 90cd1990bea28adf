"""An app with Digest, and a client that answers its challenges."""

from flask_unauthorized import Auth, Digest
from tests.digest_client import ADA, challenge, credentials_for, field_value, sent

CHALLENGE = "WWW-Authenticate"
KEY = {"SECRET_KEY": "a secret of thirty-two characters"}


def load(name):
    return {"ada": ADA, "Jäsøn Doe": "Secret, or not?"}.get(name)


class Served:
    """An app with one Digest scheme and two guarded views."""

    def __init__(self, make_app, *, view=None, loader=load, config=None, **options):
        self.ran = []
        self.digest = Digest(loader, **{"realm": "shop", **options})
        self.auth = Auth(self.digest)
        self.app = make_app(self.auth, **{**KEY, **(config or {})})
        self.app.add_url_rule(
            "/", "view", self.auth.login_required(view or self._view), methods=["GET", "POST", "DELETE"]
        )
        self.app.add_url_rule("/other", "other", self.auth.login_required(self._view))

    def _view(self):
        self.ran.append(1)
        return {"who": self.auth.identity.subject}

    def challenge(self, **given):
        response = self.app.test_client().get("/", **given)
        assert response.status_code == 401
        return challenge(response.headers[CHALLENGE])

    def ask(self, offered=None, *, path="/", method="GET", data=None, **given):
        params = sent(self.challenge() if offered is None else offered, **{"uri": path, "method": method, **given})
        return self.app.test_client().open(path, method=method, headers=params, data=data)


def is_stale(response):
    assert response.status_code == 401
    flags = [challenge(line).get("stale") for line in response.headers.getlist(CHALLENGE)]
    assert len(set(flags)) == 1
    return flags[0] == "true"


def credentials_of(served):
    offered = served.challenge()
    with served.app.test_request_context("/", headers=sent(offered)) as context:
        return served.digest.read(context.request, field_value(credentials_for(offered)).removeprefix("Digest "))
