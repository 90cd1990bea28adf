"""Certificate-bound tokens (RFC 8705), and where the client's certificate is found (RFC 9440)."""

import base64
import hashlib
import re
import subprocess
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_unauthorized import Auth, Bearer, ConfigurationError, DPoP, Identity
from flask_unauthorized.certificates import MAX_CERTIFICATE, ClientCert, EscapedPEM, peer_certificate

from .clients.conftest import need
from .dpop_client import ORIGIN, TOKEN, Holder

CHALLENGE = "WWW-Authenticate"
# RFC 8705 appendix A: the certificate of figure 6, and its hash in figure 5.
PEM = """-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----
"""
HASH = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"
DER = base64.b64decode("".join(PEM.split("\n")[1:-2]))
BINARY = f":{base64.b64encode(DER).decode()}:"
OTHER = DER[:-1] + bytes([DER[-1] ^ 1])
OTHER_BINARY = f":{base64.b64encode(OTHER).decode()}:"
PROXY = {"REMOTE_ADDR": "10.0.0.7"}
STRANGER = {"REMOTE_ADDR": "192.0.2.1"}
BOUND = {"x5t#S256": HASH}


class Served:
    """An app with Bearer (and DPoP) that looks for a certificate as ``source`` says."""

    def __init__(self, make_app, source=None, *, confirmation=BOUND, **options):
        self.ran = []
        load = {TOKEN: Identity("ada", scopes={"read"}, confirmation=confirmation)}.get
        self.auth = Auth(
            Bearer(load, realm="api", certificate=source, **options),
            DPoP(load, realm="api", origin=ORIGIN, certificate=source),
        )
        self.app = make_app(self.auth)
        self.app.add_url_rule("/", "view", self.auth.login_required(self._view))

    def _view(self):
        self.ran.append(1)
        return {"who": self.auth.identity.subject}

    def ask(self, headers=None, *, environ=PROXY, holder=None):
        sent = {"Authorization": f"Bearer {TOKEN}"} if holder is None else holder.sent()
        return self.app.test_client().get("/", headers=[*sent.items(), *(headers or [])], environ_overrides=environ)


@pytest.fixture
def behind_proxy(make_app):
    return Served(make_app, ClientCert(["10.0.0.0/24", "::1"]))


def assert_refused(served, response):
    """401 with invalid_token in the challenge of Bearer (RFC 8705 §3)."""
    bearer = response.headers.getlist(CHALLENGE)[0]
    assert response.status_code == 401
    assert bearer.startswith('Bearer realm="api", error="invalid_token"')
    assert served.ran == []


def found(source, headers=(), **environ):
    return source(SimpleNamespace(environ={**PROXY, **environ, **dict(headers)}))


# --- tokens and certificates


@pytest.mark.asvs("V12.1.3")
@pytest.mark.rfc("T-01", "T-03", "T-05")
def test_the_certificate_of_the_rfc_and_its_hash(make_app):
    assert len(DER) == 266
    served = Served(make_app, lambda request: DER)
    assert served.ask().json == {"who": "ada"}


@pytest.mark.asvs("V12.1.3", "FAPI-5.3.4-5b")
@pytest.mark.rfc("T-01", "T-02")
@pytest.mark.parametrize("certificate", [None, OTHER, b"", DER + b"\0"], ids=["none", "another", "empty", "longer"])
def test_another_certificate_or_none(make_app, certificate):
    served = Served(make_app, lambda request: certificate)
    assert_refused(served, served.ask())


@pytest.mark.rfc("T-03", "T-04")
@pytest.mark.parametrize(
    "value",
    [HASH + "=", HASH + " ", " " + HASH, HASH[:-1], HASH.lower(), "", None, 1, [HASH], hashlib.sha256(DER).hexdigest(),
     base64.b64encode(hashlib.sha256(DER).digest()).decode(), base64.b64encode(hashlib.sha1(DER).digest()).decode()],
    ids=repr,
)  # fmt: skip
def test_dpo_32_hashes_that_are_none(make_app, value):
    served = Served(make_app, lambda request: DER, confirmation={"x5t#S256": value})
    assert_refused(served, served.ask())


@pytest.mark.rfc("T-03")
def test_hashes_are_compared_as_octets(make_app):
    """Figures 2 and 3 of RFC 8705 themselves have a hash whose spare bits are set: as ours has with 1 for 0."""
    served = Served(make_app, lambda request: DER, confirmation={"x5t#S256": HASH[:-1] + "1"})
    assert served.ask().status_code == 200


@pytest.mark.rfc("T-06")
def test_dpo_32_where_nobody_looks_for_a_certificate_a_bound_token_is_refused(make_app):
    served = Served(make_app)
    for headers in ((), [("Client-Cert", BINARY)], [("X-SSL-Client-Cert", quote(PEM))]):
        assert_refused(served, served.ask(headers))
    assert_refused(served, served.ask(environ={"SSL_CLIENT_CERT": PEM}))


@pytest.mark.rfc("P-18")
def test_a_token_that_is_bound_to_a_certificate_alone_is_no_dpop_token(behind_proxy):
    answered = behind_proxy.ask([("Client-Cert", BINARY)], holder=Holder())
    assert answered.status_code == 401
    bearer, dpop = answered.headers.getlist(CHALLENGE)
    assert "error" not in bearer
    assert dpop.startswith('DPoP realm="api", error="invalid_token"')
    assert behind_proxy.ran == []


@pytest.mark.rfc("P-30")
def test_a_token_that_is_bound_to_a_key_needs_more_than_a_certificate(make_app):
    for confirmation in ({"jkt": Holder().jkt}, {"jkt": Holder().jkt, **BOUND}, {**BOUND, "kid": "1"}, {}):
        served = Served(make_app, lambda request: DER, confirmation=confirmation)
        assert_refused(served, served.ask())


def test_clm_22_bound_to_both_both_are_checked(make_app):
    holder, shown = Holder(), [DER]
    served = Served(make_app, lambda request: shown[0], confirmation={"jkt": holder.jkt, **BOUND})
    assert served.ask(holder=holder).status_code == 200
    assert served.ask(holder=Holder()).status_code == 401
    for other in (OTHER, None):
        shown[0] = other
        assert served.ask(holder=holder).status_code == 401
    assert len(served.ran) == 1


def test_clm_22_bound_to_both_where_nobody_looks_for_a_certificate(make_app):
    holder = Holder()
    served = Served(make_app, confirmation={"jkt": holder.jkt, **BOUND})
    assert served.ask(holder=holder).status_code == 401
    assert served.ran == []


def test_a_certificate_that_is_wrong_uses_no_proof_up(make_app):
    holder, shown = Holder(), [OTHER, DER]
    served = Served(make_app, lambda request: shown.pop(0), confirmation={"jkt": holder.jkt, **BOUND})
    sent = holder.sent()
    answers = [served.app.test_client().get("/", headers=sent).status_code for _ in range(2)]
    assert answers == [401, 200]


@pytest.mark.rfc("S-02")
def test_tokens_that_are_bound_to_nothing(make_app):
    open_to_all = Served(make_app, lambda request: DER, confirmation=None)
    assert open_to_all.ask().status_code == 200
    bound_only = Served(make_app, lambda request: DER, confirmation=None, bound_only=True)
    assert_refused(bound_only, bound_only.ask())
    assert Served(make_app, lambda request: DER, bound_only=True).ask().status_code == 200


def test_what_a_source_must_return(make_app):
    served = Served(make_app, lambda request: PEM)
    with pytest.raises(TypeError, match="DER"):
        served.ask()


def test_set_ups_that_cannot_be():
    text = "bound_only=True needs certificate=...: without it Bearer proves nothing"
    with pytest.raises(ConfigurationError, match=f"^{re.escape(text)}$"):
        Bearer({}.get, bound_only=True)
    with pytest.raises(ConfigurationError, match="certificate"):
        Bearer({}.get, certificate=PEM)


# --- Client-Cert (RFC 9440)


@pytest.mark.rfc("T-01", "T-09")
def test_a_trusted_proxy_tells_the_certificate(behind_proxy):
    response = behind_proxy.ask([("Client-Cert", BINARY)])
    assert response.status_code == 200
    assert "Client-Cert" in response.headers["Vary"]
    assert "Client-Cert" not in response.headers
    assert_refused_after(behind_proxy, [("Client-Cert", OTHER_BINARY)])
    assert_refused_after(behind_proxy, [])


def assert_refused_after(served, headers):
    served.ran.clear()
    response = served.ask(headers)
    assert_refused(served, response)
    assert "Client-Cert" in response.headers["Vary"]


@pytest.mark.asvs("FAPI-5.3.4-5c", "V4.1.3")
@pytest.mark.rfc("T-08", "S-05")
@pytest.mark.parametrize(
    "environ",
    [
        STRANGER,
        {"REMOTE_ADDR": "10.0.1.7"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": None},
        {"REMOTE_ADDR": "10.0.0.7, 192.0.2.1"},
        {"REMOTE_ADDR": "proxy"},
        {"REMOTE_ADDR": "::ffff:192.0.2.1"},
    ],
    ids=str,
)
def test_dpo_32_the_field_counts_from_a_trusted_proxy_only(behind_proxy, environ):
    headers = [("Client-Cert", BINARY), ("X-Forwarded-For", "10.0.0.7"), ("X-Real-IP", "10.0.0.7")]
    assert_refused(behind_proxy, behind_proxy.ask(headers, environ=environ))


@pytest.mark.rfc("T-08")
def test_behind_proxy_fix_the_proxy_itself_is_looked_at(behind_proxy):
    behind_proxy.app.wsgi_app = ProxyFix(behind_proxy.app.wsgi_app, x_for=1)
    forged = [("Client-Cert", BINARY), ("X-Forwarded-For", "10.0.0.7")]
    assert_refused(behind_proxy, behind_proxy.ask(forged, environ=STRANGER))
    real = [("Client-Cert", BINARY), ("X-Forwarded-For", "192.0.2.1")]
    assert behind_proxy.ask(real, environ=PROXY).status_code == 200


@pytest.mark.parametrize("peer", ["10.0.0.7", "::ffff:10.0.0.7", "::1"])
def test_proxies_by_address(behind_proxy, peer):
    assert behind_proxy.ask([("Client-Cert", BINARY)], environ={"REMOTE_ADDR": peer}).status_code == 200


@pytest.mark.parametrize(("proxies", "trusted"), [(["unix:"], True), (["10.0.0.0/8"], False)])
def test_a_proxy_behind_a_unix_socket_has_no_address(proxies, trusted):
    for peer in ("", None):
        assert (found(ClientCert(proxies), HTTP_CLIENT_CERT=BINARY, REMOTE_ADDR=peer) == DER) is trusted


@pytest.mark.rfc("T-07")
@pytest.mark.parametrize(
    "value",
    [
        f"{BINARY}, {BINARY}",
        f"{BINARY},{OTHER_BINARY}",
        f"{BINARY};a=1",
        f" {BINARY}",
        BINARY[1:],
        BINARY[:-1],
        "::",
        ":",
        BINARY[1:-1],
        f'"{BINARY}"',
        f"{BINARY[:-4]}!!!:",
        ":Pz8_Pj4-:",
        quote(PEM),
        PEM.replace("\n", " "),
        ":" + "A" * MAX_CERTIFICATE + ":",
        ":A:",
        ":AAAAA:",
        "ä",
    ],
    ids=lambda value: value[:12],
)
def test_what_is_not_one_binary_is_400(behind_proxy, value):
    response = behind_proxy.ask([("Client-Cert", value.encode().decode("latin-1"))])
    assert response.status_code == 400
    assert behind_proxy.ran == []


@pytest.mark.rfc("T-07")
def test_two_lines_are_400(behind_proxy):
    assert behind_proxy.ask([("Client-Cert", BINARY), ("Client-Cert", BINARY)]).status_code == 400


@pytest.mark.parametrize(
    ("proxies", "error"),
    [("10.0.0.1", TypeError), ([], ConfigurationError), (["proxy"], ConfigurationError),
     (["10.0.0.1/8"], ConfigurationError), (["10.0.0"], ConfigurationError)],
)  # fmt: skip
def test_proxies_that_cannot_be(proxies, error):
    with pytest.raises(error):
        ClientCert(proxies)


@pytest.mark.parametrize("field", ["", "a b", "ä", None])
def test_fields_that_cannot_be(field):
    with pytest.raises(ConfigurationError, match="field"):
        EscapedPEM(["10.0.0.1"], field=field)


# --- percent-encoded PEM, as nginx, Apache and AWS pass it on


@pytest.mark.parametrize(
    "value",
    [quote(PEM), quote(PEM, safe="+=/"), quote(PEM, safe=""), quote(PEM.strip()), PEM.replace("\n", " ")],
)  # fmt: skip
def test_escaped_pem(value):
    source = EscapedPEM(["10.0.0.7"], field="X-SSL-Client-Cert")
    assert found(source, HTTP_X_SSL_CLIENT_CERT=value) == DER
    assert found(source, HTTP_X_SSL_CLIENT_CERT=value, **STRANGER) is None
    assert found(source) is None
    assert source.varies == ("X-SSL-Client-Cert",)


@pytest.mark.parametrize(
    "value",
    [
        "x",
        BINARY,
        quote(PEM + PEM),
        quote(PEM)[:-30],
        quote(PEM).replace("BEGIN", "END"),
        quote(PEM.replace("MIIB", "!!!!")),
        f"{quote(PEM)},{quote(PEM)}",
        quote(PEM.replace("CERTIFICATE", "PRIVATE KEY")),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_not_one_escaped_pem_is_400(make_app, value):
    served = Served(make_app, EscapedPEM(["10.0.0.7"], field="X-SSL-Client-Cert"))
    assert served.ask([("X-SSL-Client-Cert", value)]).status_code == 400


# --- the server's own word


@pytest.mark.rfc("T-01")
@pytest.mark.parametrize(
    "environ",
    [
        {"SSL_CLIENT_CERT": PEM},
        {"SSL_CLIENT_CERT": PEM.replace("\n", "\n\t").rstrip("\t")},  # nginx folds $ssl_client_cert
        {"SSL_CLIENT_CERT": quote(PEM)},  # nginx, $ssl_client_escaped_cert
        {"HTTPS_CC": PEM},
        {"SSL_CLIENT_CERT": "", "HTTPS_CC": PEM},
        {"gunicorn.socket": SimpleNamespace(getpeercert=lambda binary: DER if binary else {})},
    ],
    ids=["PEM", "folded", "escaped", "uWSGI", "empty first", "gunicorn"],
)
def test_what_servers_tell(environ):
    assert found(peer_certificate, environ) == DER


def gone(binary):
    raise OSError("gone")


@pytest.mark.rfc("T-01")
@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"SSL_CLIENT_CERT": ""},
        {"SSL_CLIENT_CERT": "(null)"},
        {"SSL_CLIENT_CERT": PEM + PEM},
        {"HTTP_SSL_CLIENT_CERT": PEM},
        {"HTTP_CLIENT_CERT": BINARY},
        {"gunicorn.socket": object()},
        {"gunicorn.socket": SimpleNamespace(getpeercert=lambda binary: None)},
        {"gunicorn.socket": SimpleNamespace(getpeercert=lambda binary: b"")},
        {"gunicorn.socket": SimpleNamespace(getpeercert=lambda binary: {})},
        {"gunicorn.socket": SimpleNamespace(getpeercert=gone)},
    ],
)
def test_what_is_no_word_of_the_server(environ):
    assert found(peer_certificate, environ) is None


@pytest.mark.rfc("T-03")
def test_openssl_computes_the_same_hash(tmp_path, make_app):
    (tmp_path / "cert.pem").write_text(PEM)
    command = [need("openssl"), "x509", "-in", tmp_path / "cert.pem", "-noout", "-fingerprint", "-sha256"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.partition("=")[2]
    octets = bytes.fromhex(told.strip().replace(":", ""))
    assert base64.urlsafe_b64encode(octets).rstrip(b"=").decode() == HASH


# F-33
@pytest.mark.parametrize("kind", ["Bearer", "DPoP"])
def test_a_source_of_certificates_that_cannot_know_is_503_where_the_app_says_so(make_app, kind):
    def source(request):
        raise ConnectionError("s3cret")

    holder = Holder()
    confirmation = BOUND if kind == "Bearer" else {**BOUND, "jkt": holder.jkt}
    load = {TOKEN: Identity("ada", confirmation=confirmation)}.get
    scheme = Bearer(load, certificate=source) if kind == "Bearer" else DPoP(load, origin=ORIGIN, certificate=source)
    auth = Auth(scheme, unavailable=(ConnectionError,))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    headers = holder.sent() if kind == "DPoP" else {"Authorization": f"Bearer {TOKEN}"}
    response = app.test_client().get("/", headers=headers)
    assert (response.status_code, response.headers.get(CHALLENGE)) == (503, None)
    assert "s3cret" not in response.text


@pytest.mark.parametrize(
    "sent", [[b"x_ssl_client_cert"], [b"X_SSL-Client_Cert"], [b"x-ssl-client-cert", b"x_ssl_client_cert"]]
)
def test_a_spelling_with_underscores_is_refused_where_the_server_tells_it(make_app, sent):  # F-45
    served = Served(make_app, EscapedPEM(["10.0.0.7"], field="X-SSL-Client-Cert"), bound_only=True)
    field = quote(PEM)

    def ask(names, address="10.0.0.7"):
        scope = {"headers": [(name, field.encode()) for name in names]}
        environ = {"REMOTE_ADDR": address, "HTTP_X_SSL_CLIENT_CERT": field, "asgi.scope": scope}
        return served.ask(environ=environ).status_code

    assert ask(sent) == 400
    assert served.ran == []
    # The dashed one alone is accepted, beside another field with underscores.
    assert ask([b"x-ssl-client-cert", b"x_other"]) == 200
    # From another address than the proxy's the field counts as absent.
    assert ask([b"x-ssl-client-cert"], address="192.0.2.1") == ask(sent, address="192.0.2.1") == 401
    assert served.ran == [1]


def test_a2wsgi_tells_the_names_as_they_were_sent():  # F-45: what the refusal above depends on
    build = pytest.importorskip("a2wsgi.wsgi").build_environ
    scope = {
        "type": "http", "method": "GET", "path": "/", "query_string": b"", "http_version": "1.1",
        "headers": [(b"x_ssl_client_cert", b"forged")],
    }  # fmt: skip
    environ = build(scope, None)
    assert environ["HTTP_X_SSL_CLIENT_CERT"] == "forged"
    assert environ["asgi.scope"]["headers"] == [(b"x_ssl_client_cert", b"forged")]
