"""Somebody at a Chromium: keys, focus, what a screen reader is told, and what the page's policy forbade."""

import json
import time
from typing import Any

from .test_browser import PATIENCE, Browser

KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " ")}
FAINT = """(() => {
  const parts = text => text.match(/[\\d.]+/g).map(Number)
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const under = e => {
    const [r, g, b, a = 1] = parts(getComputedStyle(e).backgroundColor)
    if (a === 1) return [r, g, b]
    return e.parentElement ? under(e.parentElement) : [255, 0, 255]
  }
  const found = []
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement
    if (!walk.currentNode.data.trim() || !e.checkVisibility()) continue
    const [a, b] = [light(parts(getComputedStyle(e).color)), light(under(e))].sort((a, b) => b - a)
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push(walk.currentNode.data)
  }
  return found
})()"""
"""The texts of a page with a contrast below 4.5 to 1, as WCAG 2.2 reckons it (1.4.3)."""
CONTROLS = {"button", "checkbox", "combobox", "link", "radio", "searchbox", "textbox"}


class Person(Browser):
    """A `Browser` that is used as people do."""

    def __init__(self, reads: int, writes: int) -> None:
        self.violations: list[str] = []
        super().__init__(reads, writes)
        for domain in ("Audits", "Accessibility", "Network"):
            self.call(f"{domain}.enable")

    def _receive(self) -> dict[str, Any]:
        message = super()._receive()
        if message.get("method") == "Audits.issueAdded":
            issue = message["params"]["issue"]
            if "ContentSecurityPolicy" in issue["code"]:
                self.violations.append(json.dumps(issue["details"]))
        return message

    def wait(self, script: str) -> Any:
        """What ``script`` gives, once that is something; the page may change under it in between."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            number = self._send("Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True})
            message: dict[str, Any] = {}
            while message.get("id") != number:
                message = self._receive()
            found = message.get("result", {})
            if "exceptionDetails" not in found and found.get("result", {}).get("value"):
                return found["result"]["value"]
            time.sleep(0.02)
        page = self.run("[location.href, document.body?.innerText.slice(0, 1000)]")
        raise AssertionError(f"never came true: {script}, at {page}")

    def arrive(self, place: str) -> None:
        """Waits until a page is there, by path and query."""
        place = json.dumps(place)
        self.wait(f"document.readyState === 'complete' && location.pathname + location.search === {place}")

    def visit(self, address: str) -> None:
        self.asked, self.answer = [], None
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def press(self, key: str) -> None:
        code, text = KEYS[key]
        pressed = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **pressed)
        self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def tab_to(self, selector: str) -> None:
        """Goes there by Tab alone; each stop on the way shows that it has the focus."""
        for _ in range(30):
            self.press("Tab")
            here, visible = self.run(
                f"(e => [e.matches({selector!r}), e.matches('body') || getComputedStyle(e).outlineStyle])"
                "(document.activeElement)"
            )
            assert visible != "none", self.run("document.activeElement.outerHTML")
            if here:
                return
        raise AssertionError(f"Tab never comes to {selector}")

    def write(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def log_in(self, name: str, word: str) -> None:
        """By keyboard, at the login page."""
        if not self.run("document.activeElement.matches('#name')"):
            self.tab_to("#name")
        self.run("document.activeElement.select()")
        self.write(name)
        self.tab_to("#password")
        self.write(word)
        self.press("Enter")

    def cookie(self, url: str) -> str | None:
        found = self.call("Network.getCookies", urls=[url])["cookies"]
        return next((cookie["value"] for cookie in found if cookie["name"] == "session"), None)

    def submit(self, address: str, **fields: str) -> None:
        """Sends a form from the page that is open, as an attacker's page would."""
        self.run(
            "(([address, fields]) => { const form = document.createElement('form');"
            "for (const [name, value] of fields)"
            " form.append(Object.assign(document.createElement('input'), {name, value}));"
            "Object.assign(form, {method: 'post', action: address}); document.body.append(form); form.submit() })"
            f"({json.dumps([address, list(fields.items())])})"
        )

    def faint(self) -> list[str]:
        """Texts that can hardly be read, by day or by night."""
        self.wait("document.readyState === 'complete'")  # and its style is there
        found = []
        for scheme in ("light", "dark"):
            self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            found += self.run(FAINT)
        return found

    def heard(self) -> list[tuple[str, str]]:
        """Role and name of all that a screen reader tells of."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored")
        ]

    def nameless(self) -> list[str]:
        """Controls without a name."""
        return [role for role, name in self.heard() if role in CONTROLS and not name.strip()]
