"""The arithmetic of Digest against the vectors of RFC 7616, its errata, and independent computations of them."""

import pytest

from flask_unauthorized.wire.digest import (
    ALGORITHMS,
    digest_hash,
    name_hash,
    read_extended,
    response_hash,
    secret_hash,
    session_hash,
)

REALM, URI = "http-auth@example.org", "/dir/index.html"
NONCE, CNONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def compute(algorithm, *, method="GET", qop="auth", body=b""):
    """``response`` for input A of the requirement table; ``rspauth`` without a method."""
    a1 = secret_hash(algorithm, "Mufasa", REALM, "Circle of Life")
    if algorithm.endswith("-sess"):
        a1 = session_hash(algorithm, a1, NONCE, CNONCE)
    hashed = digest_hash(algorithm, body)
    return response_hash(
        algorithm, a1, method=method, uri=URI, nonce=NONCE, nc="00000001", cnonce=CNONCE, qop=qop, body=hashed
    )


@pytest.mark.rfc("D-24", "D-35")
@pytest.mark.parametrize(
    ("algorithm", "response", "rspauth"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec", "9b712497bc9f91499fbcca1dfc5f09a5"),
        (
            "SHA-256",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            "86d3b25618d41854ca5039a5d7e53ff6355d5134a9b1fb088a78ac3c462195a0",
        ),
        (
            "SHA-512-256",
            "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0",
            "c8f9593a4f49b95ce2c483cc3222ecd360a5c6ec52ca24a530b0aac18478de8c",
        ),
        ("MD5-sess", "e783283f46242139c486a698fec7211d", "b9bdf5673282d64412df46ad40660539"),
        (
            "SHA-256-sess",
            "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7",
            "d4ad609d150eafce2281da5c3179878fdb37e6a16021272f4bed1a082f5c2324",
        ),
        (
            "SHA-512-256-sess",
            "3f2a34f923c38b0fb26dce2fdfc2ce326c23cecf86fbb1444f3e51fbbc2cb92e",
            "98012a4e63fae2aea13adaa3410368ef7278c87ca0acbd3c941ca5fe3dceeb86",
        ),
    ],
)
def test_response_and_rspauth(algorithm, response, rspauth):
    assert compute(algorithm) == response
    assert compute(algorithm, method="") == rspauth


@pytest.mark.rfc("D-26", "D-29")
@pytest.mark.parametrize(
    ("algorithm", "response", "rspauth", "userhash"),
    [
        (
            "MD5",
            "aa8c4104af770cba01b4fe43c7d45064",
            "c72bbc5ea4b48918876f75fe6873f638",
            "4238f3a16167373febb9bc4d43db9cc4",
        ),
        (
            "SHA-256",
            "770e76fe7f29a82859bf072392fb3fe74b93f063ca676be951a92e5c5e878ec2",
            "2e5536a4b72863a970e809bd661b9fb45ffd10b390d825016de33c4514cd38f2",
            "a947aad205e80e429958a387394944c6b496301e79f89d35a4cc23b6ee12b5b6",
        ),
        (
            "SHA-512-256",
            "94cc742ccc8f6fde7b1da188414411bb98a8badd593aacebfa81a6883fac037e",
            "4cf057c652c29ad88759457cc4be7c081827c7a1cc5ffcce0ce5a5fa0fb74fe0",
            "e2dfabd1a96ddf867710b653b6e6857d1f147086de7d7ef79dcd249859872570",
        ),
        (
            "SHA-256-sess",
            "df21966390a16abd1d0d847187dac9047cdc488a437abe251234ef6f55ee4d57",
            "96f68aa0719bc266e051bf9885a9231aa09c1b956f97ddce420a3eb2504b3080",
            "a947aad205e80e429958a387394944c6b496301e79f89d35a4cc23b6ee12b5b6",
        ),
    ],
)
def test_bodies_and_hashed_names(algorithm, response, rspauth, userhash):
    assert compute(algorithm, method="POST", qop="auth-int", body=b"Hello, World!") == response
    assert compute(algorithm, method="", qop="auth-int", body=b'{"ok":true}') == rspauth
    assert name_hash(algorithm, "Mufasa", REALM) == userhash


def test_an_empty_body_counts_as_one():
    found = {algorithm: compute(algorithm, qop="auth-int") for algorithm in ("SHA-256", "MD5")}
    assert found == {
        "SHA-256": "8bdf6f15638e260831e905028de5450562816d093c9bfc5c13d3a46adcdde940",
        "MD5": "8804a53d3640a40a4f73cea12c5ba451",
    }


@pytest.mark.rfc("D-31")
def test_a_name_beyond_ascii_by_the_erratum_and_not_as_it_was_printed():
    """RFC 7616 §3.9.2 printed SHA-512 cut to 256 bits; erratum 4897 has SHA-512/256."""
    name, realm, algorithm = "Jäsøn Doe", "api@example.org", "SHA-512-256"
    assert name_hash(algorithm, name, realm) == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    a1 = secret_hash(algorithm, name, realm, "Secret, or not?")
    response = response_hash(
        algorithm,
        a1,
        method="GET",
        uri="/doe.json",
        nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        nc="00000001",
        cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        qop="auth",
    )
    assert response == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    decomposed = "Ja\u0308søn Doe"
    assert name_hash(algorithm, decomposed, realm) == name_hash(algorithm, name, realm)
    assert secret_hash(algorithm, decomposed, realm, "Secret, or not?") == a1


@pytest.mark.rfc("D-01", "D-24")
def test_the_hash_functions_and_h_a1():
    assert digest_hash("SHA-512-256", b"") == "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a"
    assert secret_hash("MD5", "Mufasa", REALM, "Circle of Life") == "3d78807defe7de2157e2b0b6573a855f"
    found = secret_hash("SHA-256", "Mufasa", REALM, "Circle of Life")
    assert found == "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"


def test_the_example_of_rfc_2617():
    a1 = secret_hash("MD5", "Mufasa", "testrealm@host.com", "Circle Of Life")
    response = response_hash(
        "MD5", a1, method="GET", uri=URI, nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", nc="00000001",
        cnonce="0a4f113b", qop="auth",
    )  # fmt: skip
    assert response == "6629fae49393a05397450978507c4ef1"


def test_the_algorithms_stand_strongest_first():
    assert ALGORITHMS == ("SHA-512-256", "SHA-512-256-sess", "SHA-256", "SHA-256-sess", "MD5", "MD5-sess")


@pytest.mark.rfc("X-01", "X-02", "X-03")
def test_extended_values():
    """RFC 8187 §3.2.3, and what is none."""
    assert read_extended("UTF-8''%c2%a3%20and%20%e2%82%ac%20rates") == "\u00a3 and \u20ac rates"
    assert read_extended("utf-8'en'%C2%A3%20rates") == "\u00a3 rates"
    broken = (
        "iso-8859-1'en'%A3%20rates",
        "UTF-8'",
        "UTF-8''%A3",
        "UTF-8''%2",
        "UTF-8''a b",
        "x",
        "''abc",
        "UTF-8''a'b",
    )
    for value in broken:
        with pytest.raises(ValueError, match=r"RFC 8187|utf-8"):
            read_extended(value)
