"""A Digest client for tests, written from RFC 7616 alone.

It shares no code with the package, so that a mistake in one of them is found by the other.
"""

import hashlib
import re

from .canaries import register

ADA = "correct horse"
FUNCTIONS = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def hex_hash(algorithm: str, text: str | bytes) -> str:
    octets = text.encode() if isinstance(text, str) else text
    return hashlib.new(FUNCTIONS[algorithm.removesuffix("-sess")], octets).hexdigest()


def challenge(line: str) -> dict[str, str]:
    """Return the parameters of one Digest challenge."""
    assert line.startswith("Digest ")
    return {name: quoted or bare for name, quoted, bare in re.findall(r'([a-z]+)=(?:"([^"]*)"|([^",]+))', line[7:])}


def credentials_for(
    offered: dict[str, str],
    *,
    uri: str = "/",
    method: str = "GET",
    name: str = "ada",
    password: str = ADA,
    nc: int | None = 1,
    cnonce: str = "0a4f113b",
    qop: str = "auth",
    body: bytes = b"",
    first_cnonce: str | None = None,
    **changed: str | None,
) -> dict[str, str]:
    """Return the parameters of ``Authorization`` for the challenge ``offered``.

    ``changed`` replaces parameters after the response was computed. ``None`` removes one.
    """
    algorithm = offered.get("algorithm", "MD5")
    register(password)
    a1 = hex_hash(algorithm, f"{name}:{offered['realm']}:{password}")
    if algorithm.endswith("-sess"):
        a1 = hex_hash(algorithm, f"{a1}:{offered['nonce']}:{first_cnonce or cnonce}")
    a2 = f"{method}:{uri}" + (f":{hex_hash(algorithm, body)}" if qop == "auth-int" else "")
    count = f"{nc or 1:08x}"
    response = hex_hash(algorithm, f"{a1}:{offered['nonce']}:{count}:{cnonce}:{qop}:{hex_hash(algorithm, a2)}")
    register(a1, response)
    params: dict[str, str | None] = {
        "username": name, "realm": offered["realm"], "nonce": offered["nonce"], "uri": uri, "algorithm": algorithm,
        "response": response, "qop": qop, "nc": nc and count, "cnonce": cnonce, "opaque": offered.get("opaque"),
        **changed,
    }  # fmt: skip
    return {key: value for key, value in params.items() if value is not None}


def field_value(params: dict[str, str]) -> str:
    """Return the value of ``Authorization``, written as curl does."""
    bare = {"algorithm", "qop", "nc", "userhash", "username*"}
    return "Digest " + ", ".join(
        f"{name}={value}" if name in bare else f'{name}="{value}"' for name, value in params.items()
    )


def sent(offered: dict[str, str], **given: object) -> dict[str, str]:
    """Return the header line with credentials for the challenge ``offered``."""
    return {"Authorization": field_value(credentials_for(offered, **given))}  # type: ignore[arg-type]
