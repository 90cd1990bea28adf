"""Async loaders behind each kind of credentials, for many requests at the same time."""

import asyncio

from flask import Flask, request

from flask_unauthorized import APIKey, Auth, Basic, Bearer, Digest, Identity, InvalidCredentials


async def load_token(token):
    await asyncio.sleep(0.05)
    if token == "bad":
        raise InvalidCredentials(reason="bad")
    if token == "down":
        raise ConnectionError
    # Who asks is read after the wait: the context has to be that of this request.
    return Identity(f"{token} {request.headers['X-Name']}")


async def check_password(name, word):
    await asyncio.sleep(0.05)
    return word == "pw"


async def load_key(key):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(request.headers["X-Port"]))
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return key if line == b"hello\n" else None


async def password_of(name):
    await asyncio.sleep(0.05)
    return "pw"


schemes = Bearer(load_token), Basic(check_password), APIKey(load_key), Digest(password_of)
auth = Auth(*schemes, realm="async", unavailable=(ConnectionError,))
app = Flask(__name__)
app.config["SECRET_KEY"] = "a secret of thirty-two characters"
auth.init_app(app)


@app.get("/")
@auth.login_required
def index():
    return {"you": auth.identity.subject}
