"""What Ruby, PHP, Go, rclone, cadaver and Prometheus talk to: the same four resources, once for each scheme."""

import json
import os
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

from flask import Flask, Response, request, send_file

from flask_unauthorized import APIKey, Auth, Basic, Bearer, Digest
from flask_unauthorized.stores.sqlite import SQLiteStore

FILES = Path(os.environ.get("CLIENTS_FILES", os.curdir))
LOG = os.environ.get("CLIENTS_LOG", os.devnull)
PASSWORDS = {"ada": "correct-horse", "grace": "pass word"}
store = SQLiteStore(os.environ.get("CLIENTS_STORE", "store.db"))
basic = Basic(lambda name, word: PASSWORDS.get(name) == word)
bearer = Bearer(lambda token: "ada" if token == "good" else None)
key = APIKey(lambda given: "ada" if given == "good" else None)
sha256 = Digest(PASSWORDS.get, store=store)
sha256_first = Digest(PASSWORDS.get, store=store, algorithms=["SHA-256", "MD5"])
md5_first = Digest(PASSWORDS.get, store=store, algorithms=["MD5", "SHA-256"])
md5 = Digest(PASSWORDS.get, store=store, algorithms=["MD5"])
once = Digest(PASSWORDS.get, store=store, algorithms=["MD5", "SHA-256"], nonce_uses=1)
mutual = Digest(PASSWORDS.get, store=store, algorithms=["MD5", "SHA-256"], rspauth=True, nextnonce=True)
auth = Auth(basic, bearer, key, sha256, sha256_first, md5_first, md5, once, mutual, realm="tools")
app = Flask("tools")
app.config["SECRET_KEY"] = "a secret of thirty-two characters"
auth.init_app(app)


@app.after_request
def log(response):
    """Writes down what each client sent, without its secrets."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    params = dict(part.strip().partition("=")[::2] for part in rest.split(",")) if scheme == "Digest" else {}
    line = {
        "method": request.method, "path": request.path, "status": response.status_code, "scheme": scheme,
        "algorithm": params.get("algorithm", "").strip('"'), "nc": params.get("nc", ""),
    }  # fmt: skip
    with open(LOG, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return response


def echo():
    return {"you": auth.identity.subject, "body": len(request.get_data())}


def soap():
    """Responds to the operation ``whoami``, in the encoding that SoapClient reads without a WSDL."""
    request.get_data()
    text = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        f'<r:whoamiResponse xmlns:r="urn:tools"><return>{auth.identity.subject}</return></r:whoamiResponse>'
        "</e:Body></e:Envelope>"
    )
    return Response(text, content_type="text/xml; charset=utf-8")


def metrics():
    return Response("# TYPE answers gauge\nanswers 42\n", content_type="text/plain; version=0.0.4")


def dav(name=""):
    """The part of WebDAV (RFC 4918, class 1) that lists a flat folder, and reads and writes its files."""
    file = FILES / name
    if request.method == "OPTIONS":
        return Response(headers={"DAV": "1", "Allow": "OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND"})
    if request.method == "PUT":
        file.write_bytes(request.get_data())
        return "", 201
    if not file.exists():
        return "", 404
    if request.method == "DELETE":
        file.unlink()
        return "", 204
    if request.method == "PROPFIND":
        found = [file] if file.is_file() or request.headers.get("Depth") == "0" else [file, *sorted(file.iterdir())]
        root = request.path.removesuffix(name)
        parts = "".join(_properties(root, path) for path in found)
        text = f'<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:">{parts}</D:multistatus>'
        return Response(text, 207, content_type="application/xml; charset=utf-8")
    if file.is_dir():
        return "".join(f'<a href="{quote(path.name)}">{escape(path.name)}</a>\n' for path in sorted(file.iterdir()))
    return send_file(file.absolute())


def _properties(root, path):
    href = root if path == FILES else root + quote(path.name)
    kind = "<D:collection/>" if path.is_dir() else ""
    return (
        f"<D:response><D:href>{escape(href)}</D:href><D:propstat><D:prop><D:resourcetype>{kind}</D:resourcetype>"
        f"<D:getcontentlength>{path.stat().st_size}</D:getcontentlength>"
        "<D:getlastmodified>Sat, 28 Nov 2026 12:00:00 GMT</D:getlastmodified></D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )


DAV = ["OPTIONS", "GET", "PUT", "DELETE", "PROPFIND"]
for way, via in {
    "basic": [basic], "bearer": [bearer], "key": [key], "bearer-basic": [bearer, basic],
    "sha256": [sha256], "sha256-first": [sha256_first], "md5-first": [md5_first], "md5": [md5],
    "once": [once], "mutual": [mutual], "md5-first-basic": [md5_first, basic], "basic-md5-first": [basic, md5_first],
}.items():  # fmt: skip
    for path, view, methods in (
        ("echo", echo, ["GET", "POST", "PUT"]),
        ("soap", soap, ["POST"]),
        ("metrics", metrics, ["GET"]),
        ("dav/", dav, DAV),
        ("dav/<name>", dav, DAV),
    ):
        app.add_url_rule(
            f"/{way}/{path}", f"{way}-{path}", auth.login_required(via=via)(view), methods=methods,
            provide_automatic_options=False,
        )  # fmt: skip
