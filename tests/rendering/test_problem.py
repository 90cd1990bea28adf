"""Problem details (RFC 9457)."""

import pytest

from flask_unauthorized import InvalidCredentials
from tests.helpers import get_view


@pytest.mark.rfc("PD-06")
def test_detail_helps_and_debugs_nothing(make_app, auth):
    def view():
        raise InvalidCredentials(reason="row 7 of table users")

    response = get_view(make_app, auth, auth.login_optional, view, {"Accept": "application/problem+json"})
    assert response.json["detail"] == "The credentials are not valid."
    assert "row 7" not in response.text
