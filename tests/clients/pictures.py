"""The pictures of README and docs: ``python -m tests.clients.pictures`` takes them in Chromium.

Fonts differ between machines, so the bytes of a picture prove nothing. ``pictures.txt`` records what each picture
shows: the text, a digest of the elements and styles that the browser drew, and the digest of the picture that was taken
of them. `test_pictures.py` opens the pages again and compares.
"""

import base64
import hashlib
import html
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.docs.pages import SHOWN_PORT, blocks, commands, run, served
from tests.live.conftest import running

from .person import Person
from .test_browser import started

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "_static"
RECORD = Path(__file__).with_suffix(".txt")
COMMAND = "python -m tests.clients.pictures"
SHOWN = f"http://127.0.0.1:{SHOWN_PORT}"
DRAWN = """(async () => {
  const source = sheet => sheet.href ? fetch(sheet.href).then(a => a.text()) : sheet.ownerNode.textContent
  const sheets = [...document.styleSheets].map(source)
  const elements = [...document.querySelectorAll('body *')].map(e => `${e.localName} ${e.className}`)
  return [elements.join('\\n'), ...await Promise.all(sheets)].join('\\n')
})()"""
"""What a browser draws, but for the text: the elements with their classes, and the sources of all styles."""
OF_THE_SERVER = ("Server:", "Date:", "Content-Length:", "Connection:")
TERMINAL = """\
<!doctype html><html lang="en"><title>Terminal</title><style>
body { margin: 0; padding: 20px 24px; background: #12151b; color: #e8ebf1; font: 15px/1.6 ui-monospace, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere }
.prompt { color: #8db4ff } .status { color: #ff9f9f; font-weight: bold } .field { color: #a0e0a0; font-weight: bold }
</style><body>"""


class Picture(NamedTuple):
    """One picture: who opens what, how wide, in which mode. ``act`` is what the person does there first."""

    path: str
    width: int = 720
    scheme: str = "light"
    headers: dict[str, str] = {}
    act: Callable[[Person], object] = lambda person: None


class Taken(NamedTuple):
    """A picture, and what it shows."""

    shows: str
    png: bytes


def program() -> str:
    """The quick start of the README."""
    return blocks("README.md", "python")[0]


def register(person: Person) -> None:
    """Make an account at the example, and write a note."""
    person.tab_to("#name")
    person.write("ada")
    person.tab_to("#password")
    person.write("correct horse")
    person.press("Enter")
    person.arrive("/")
    person.tab_to("#text")
    person.write("Call Grace about the compiler")
    person.press("Enter")
    person.wait("document.querySelector('#notes li') !== null")
    person.run("document.activeElement.blur()")


NOTES = {
    "refusal-page": Picture("/notes"),
    "refusal-page-dark": Picture("/notes", scheme="dark"),
    "refusal-page-phone": Picture("/notes", width=390),
    "refusal-page-german": Picture("/notes", headers={"Accept-Language": "de"}),
}
EXPLAINED = {"refusal-explained": Picture("/notes", headers={"Authorization": "Bearer s3cret-of-eve-0123456789"})}
EXAMPLE = {
    "example-login": Picture("/login?next=/account"),
    "example-notes": Picture("/register", act=register),
}
NAMES = [*NOTES, *EXPLAINED, *EXAMPLE, "refusal"]


@contextmanager
def person_at(port: int, folder: Path) -> Iterator[Person]:
    """Somebody to whose browser the server on this port is at the address that the pages of the docs write."""
    rule = f"--host-resolver-rules=MAP 127.0.0.1:{SHOWN_PORT} 127.0.0.1:{port}"
    with (
        tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as profile,
        started(Path(profile), Person, rule, "--hide-scrollbars", "--lang=en-US") as person,
    ):
        yield person


def take(person: Person, picture: Picture, url: str = SHOWN) -> Taken:
    """Open the page and take its picture, as high as the page is."""
    person.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": "en", **picture.headers})
    person.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": picture.scheme}])
    size = {"width": picture.width, "height": 100, "deviceScaleFactor": 1, "mobile": False}
    person.call("Emulation.setDeviceMetricsOverride", **size)
    person.visit(url + picture.path)
    picture.act(person)
    height = person.run("document.documentElement.scrollHeight")
    person.call("Emulation.setDeviceMetricsOverride", **{**size, "height": height})
    text = person.run("document.body.innerText").strip()
    drawn = hashlib.sha256(person.run(DRAWN).encode()).hexdigest()
    png = base64.b64decode(person.call("Page.captureScreenshot", format="png")["data"])
    how = f"{picture.width} pixels wide, {picture.scheme}, {json.dumps(picture.headers)}"
    return Taken(f"{how}\nelements and styles: {drawn}\n\n{text}", png)


def terminal(port: int, folder: Path) -> str:
    """The page of a terminal in which somebody tried the first command of the README's quick start."""
    command, _ = commands(blocks("README.md", "console")[0])[0]
    lines = [
        line
        for line in run(command.replace("-i", "-si"), folder, port).splitlines()
        if not line.startswith(OF_THE_SERVER)
    ]
    kinds = {"HTTP/": "status", "WWW-Authenticate:": "field"}
    shown = [f'<span class="prompt">$</span> {html.escape(command)}']
    for line in lines:
        kind = next((kind for start, kind in kinds.items() if line.startswith(start)), "")
        shown.append(f'<span class="{kind}">{html.escape(line)}</span>')
    return TERMINAL + "\n".join(shown)


def all_pictures(folder: Path) -> dict[str, Taken]:
    """Take all pictures, of servers that start and end here. ``folder`` is empty."""
    taken = {}
    for name, text, pictures in (
        ("notes", program(), NOTES),
        (
            "explained",
            program().replace("auth.check(", 'app.config["UNAUTHORIZED_EXPLAIN"] = True\nauth.check('),
            EXPLAINED,
        ),
    ):
        (place := folder / name).mkdir()
        with served(text, place) as port, person_at(port, folder) as person:
            taken |= {name: take(person, picture) for name, picture in pictures.items()}
            if pictures is NOTES:
                (page := place / "terminal.html").write_text(terminal(port, place), encoding="utf-8")
                taken["refusal"] = take(person, Picture(page.as_uri()), url="")
    with (
        running("example", ("-m", "examples.browser_login"), BROWSER_LOGIN_DATA=str(folder / "example")) as server,
        person_at(server.port, folder) as person,
    ):
        taken |= {name: take(person, picture) for name, picture in EXAMPLE.items()}
    return taken


def record(name: str, shows: str, png: bytes) -> str:
    """What `RECORD` has to say about a picture."""
    return f"== {name}.png\npicture: {hashlib.sha256(png).hexdigest()}\n{shows}\n"


def recorded() -> dict[str, str]:
    """What `RECORD` says, by the name of the picture."""
    parts = RECORD.read_text(encoding="utf-8").split("== ")[1:]
    return {part.partition(".png\n")[0]: f"== {part.rstrip()}\n" for part in parts}


def small(png: bytes) -> bytes:
    """The picture with 32 colors, which is a third of the bytes. Nobody sees it on pages of text."""
    from PIL import Image  # the tests take pictures without it

    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(32, dither=Image.Dither.NONE).save(packed := io.BytesIO(), "PNG", optimize=True)
    return packed.getvalue()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        made = all_pictures(Path(place))
    for name in NAMES:
        (FOLDER / f"{name}.png").write_bytes(small(made[name].png))
    texts = [record(name, made[name].shows, (FOLDER / f"{name}.png").read_bytes()) for name in NAMES]
    RECORD.write_text("\n".join(texts), encoding="utf-8")
