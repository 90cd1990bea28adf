"""The developer's explanation of a refusal."""

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_unauthorized import APIKey, Auth, Bearer
from tests.helpers import app_with_schemes


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("access_token=%FF", 400),
        ("access_token=\xff", 400),
        ("a=%FF&access_token=x", 401),
        ("%FF=%FF", 401),
    ],
)
def test_a_request_that_cannot_be_read_can_be_explained(make_app, query, status, accept):
    auth = Auth(Bearer(lambda token: None, query=True), APIKey(lambda key: None, query="key"))
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=True, PROPAGATE_EXCEPTIONS=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    environ = {"QUERY_STRING": query, "HTTP_HOST": "\xff bad host"}
    response = app.test_client().get("/", headers={"Accept": accept}, environ_overrides=environ)
    assert response.status_code == status
    assert "curl" in response.text


def test_a_prefix_that_no_address_can_have_is_explained_all_the_same(make_app):
    app = app_with_schemes(make_app, Bearer(lambda token: None), UNAUTHORIZED_EXPLAIN=True)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)
    refused = app.test_client().get("/", headers={"X-Forwarded-Prefix": ":99999"})
    assert refused.status_code == 401
