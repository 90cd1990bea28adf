"""Reading ``Authorization``."""

import pytest

from flask_unauthorized.wire import parse_authorization


@pytest.mark.rfc("H-09", "H-12")
def test_parameters_are_read_without_case_and_quoted_or_not():
    plain, quoted = parse_authorization("Digest QOP=auth"), parse_authorization('digest qop="auth"')
    assert plain.get("qop") == quoted.get("Qop") == "auth"
