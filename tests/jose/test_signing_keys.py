"""The private key of this app: in which forms it is read, what it signs, and which keys are refused."""

import base64
import copy
import functools
import json
import pickle
import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jws
from joserfc.jwk import import_key
from joserfc.registry import HeaderParameter

from flask_unauthorized import ConfigurationError
from flask_unauthorized.jose import SigningKey, private_key
from tests.canaries import register

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")  # says joserfc

PASSWORD = "correct horse battery"
CLAIMS = {"iss": "api", "jti": "1"}
DEFAULTS = {"RSA": "RS256", "P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
REGISTRY = jws.JWSRegistry(
    {"typ": HeaderParameter("type", "str")},
    algorithms=["RS256", "PS256", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
)
MAKERS = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


@functools.cache
def made(kind):
    return MAKERS[kind]()


def pem(key, *, password=None, form=PrivateFormat.PKCS8):
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password.encode())
    text = key.private_bytes(Encoding.PEM, form, encryption).decode()
    register(*text.splitlines()[1:-1], PASSWORD)
    return text


def jwk(key, **members):
    """The key as joserfc writes it."""
    content = {**import_key(pem(key), _kty(key)).as_dict(private=True), **members}
    if "kid" not in members:
        content.pop("kid", None)
    register(*(content[name] for name in ("d", "p", "q") if name in content))
    return content


def _kty(key):
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "OKP" if isinstance(key, ed25519.Ed25519PrivateKey) else "EC"


def verified(token, key):
    """The header and the claims of a JWT, whose signature joserfc verifies."""
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    found = jws.deserialize_compact(token, import_key(public, _kty(key)), registry=REGISTRY)
    return found.protected, json.loads(found.payload)


# --- what is read


@pytest.mark.parametrize("kind", DEFAULTS)
def test_each_kind_of_key_in_each_form_signs_what_joserfc_verifies(tmp_path, kind):
    key = made(kind)
    files = {name: tmp_path / f"{name}.pem" for name in ("pem", "json")}
    files["pem"].write_text(pem(key))
    files["json"].write_text(json.dumps(jwk(key)))
    sources = [
        key, pem(key), pem(key).encode(), "\n# a comment\n" + pem(key), jwk(key), json.dumps(jwk(key)),
        json.dumps(jwk(key)).encode(), *files.values(), *map(str, files.values()),
    ]  # fmt: skip
    if kind != "Ed25519":
        sources.append(pem(key, form=PrivateFormat.TraditionalOpenSSL))
    for source in sources:
        signing = private_key(source)
        header, claims = verified(signing.sign(CLAIMS, typ="JWT"), key)
        assert (header, claims) == ({"alg": DEFAULTS[kind], "typ": "JWT"}, CLAIMS)


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("RSA", "PS256"), ("RSA", "PS512"), ("Ed25519", "Ed25519"), ("Ed25519", "EdDSA")]
)
def test_the_algorithm_and_the_key_id_that_are_given(kind, algorithm):
    for signing in (
        private_key(made(kind), algorithm=algorithm, kid="2026-11"),
        private_key(jwk(made(kind), alg=algorithm, kid="2026-11", use="sig", key_ops=["sign"])),
        private_key(jwk(made(kind), alg="RS256", kid="old"), algorithm=algorithm, kid="2026-11"),
    ):
        header, _ = verified(signing.sign(CLAIMS, typ="x+jwt"), made(kind))
        assert header == {"alg": algorithm, "typ": "x+jwt", "kid": "2026-11"}
        assert (signing.algorithm, signing.kid) == (algorithm, "2026-11")


def test_an_encrypted_pem_with_its_password(tmp_path):
    text = pem(made("P-256"), password=PASSWORD)
    (tmp_path / "key.pem").write_text(text)
    for source in (text, tmp_path / "key.pem"):
        for password in (PASSWORD, PASSWORD.encode()):
            verified(private_key(source, password=password).sign(CLAIMS, typ="JWT"), made("P-256"))


def test_the_key_of_rfc_7515_appendix_a_3():
    key = {
        "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    }  # fmt: skip
    token = private_key(key).sign({"iss": "joe"}, typ="JWT")
    assert jws.deserialize_compact(token, import_key(key, "EC"), registry=REGISTRY).protected["alg"] == "ES256"
    assert len(base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")) == 64  # RFC 7518 §3.4: R and S, no DER


# --- what is refused, with the fix


def problem(source, **options):
    with pytest.raises(ConfigurationError) as caught:
        private_key(source, **options)
    assert caught.value.__cause__ is None
    text = "".join(traceback.format_exception(caught.value))
    for secret in (PASSWORD, "wrong password"):
        assert secret not in text
    return str(caught.value)


@pytest.mark.parametrize("bits", [1024, 2047])
def test_rsa_below_2048_bits(bits):
    key = rsa.generate_private_key(65537, bits)
    for source in (key, pem(key)):
        assert problem(source) == (
            f"the private key can't be used, it is an RSA key of {bits} bits: 2048 to 4096 are taken: make one by: "
            "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client.pem"
        )


def test_an_encrypted_pem_without_its_password_or_with_a_wrong_one():
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        text = pem(made("P-256"), password=PASSWORD, form=form)
        assert "give password=" in problem(text)
        assert "password may be wrong" in problem(text, password="wrong password")
    assert "leave out password=" in problem(pem(made("P-256")), password=PASSWORD)


def test_what_is_not_a_private_key():
    public = made("P-256").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert "key= holds a public key" in problem(public)
    assert "key= holds a certificate" in problem("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n")
    assert "no PEM" in problem(b"ssh-ed25519 AAAA")
    assert "can't be read" in problem("-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n")
    assert "is not JSON" in problem("{")
    members = jwk(made("P-256"))
    assert "is not a private key" in problem({name: value for name, value in members.items() if name != "d"})
    assert "is not a private key" in problem({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMko"})
    assert "isn't for signatures" in problem({**members, "use": "enc"})
    assert "isn't for signatures" in problem({**members, "key_ops": ["verify"]})
    assert "are not those of a key" in problem({**members, "x": "AA"})
    assert "are not those of a key" in problem({**members, "d": "!" * 43})
    assert "are not those of a key" in problem({**members, "crv": "P-1"})
    assert "kid must be a str" in problem({**members, "kid": 5})


def test_kinds_of_keys_that_sign_nothing_here():
    assert "isn't spoken" in problem(ec.generate_private_key(ec.SECP256K1()))
    for key in (ed448.Ed448PrivateKey.generate(), x25519.X25519PrivateKey.generate(), dsa.generate_private_key(2048)):
        for source in (key, pem(key)):
            with pytest.raises(TypeError, match="give a private key of RSA, P-256"):
                private_key(source)
    for source in (made("P-256").public_key(), None, 5, ["x"]):
        with pytest.raises(TypeError, match="give a private key of RSA, P-256"):
            private_key(source)


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [("RSA", "ES256"), ("P-256", "RS256"), ("P-256", "ES384"), ("Ed25519", "none"), ("RSA", "HS256")],
)
def test_an_algorithm_of_another_family(kind, algorithm):
    """RFC 7518 §3.1: none and HS256 use no private key."""
    expected = f"algorithm='{algorithm}' is not one of this key: choose from "
    assert problem(made(kind), algorithm=algorithm).startswith(expected)
    assert problem(jwk(made(kind), alg=algorithm)).startswith(expected)


def test_files_that_cannot_be_read(tmp_path):
    assert "client.pem' of the private key can't be read (No such file" in problem(tmp_path / "client.pem")
    assert "can't be read (Is a directory)" in problem(tmp_path)
    body = "".join(pem(made("Ed25519")).splitlines()[1:-1])
    for source in (body, body[:60].replace("+", "/") + "/x", "a\0b"):  # the body of a PEM in place of a path
        register(body)
        assert source not in problem(source)


def test_nothing_shows_the_key():
    signing = private_key(pem(made("P-256")), kid="k1")
    assert repr(signing) == "<SigningKey 'k1' for ES256>"
    for attempt in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="a private key is not pickled"):
            attempt(signing)
    assert isinstance(signing, SigningKey)
