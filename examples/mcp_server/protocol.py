"""As much of MCP as a server with tools needs: JSON-RPC in a POST, the answer in its response, nothing else."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

VERSIONS = ("2025-03-26", "2025-06-18", "2025-11-25")
"""The versions that begin with ``initialize``, the newest last."""


class Tool(NamedTuple):
    """What an agent may call: a function of texts, by the names of its arguments, that returns a text."""

    run: Callable[..., str]
    description: str
    arguments: tuple[str, ...] = ()

    def told(self, name: str) -> dict[str, Any]:
        texts = {argument: {"type": "string"} for argument in self.arguments}
        schema = {"type": "object", "properties": texts, "required": list(self.arguments)}
        return {"name": name, "description": self.description, "inputSchema": schema}


def answer(message: Any, version: str | None, tools: Mapping[str, Tool]) -> Any:
    """The response to one message, for a Flask view to return. ``version`` is that of ``MCP-Protocol-Version``."""
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return _failed(None, -32600, "Not a JSON-RPC 2.0 message."), 400
    if "id" not in message:
        return "", 202  # a notification
    number, parameters = message["id"], message.get("params") or {}
    if version not in (None, *VERSIONS):
        return _failed(number, -32600, f"This server speaks MCP {', '.join(VERSIONS)}."), 400
    method = _METHODS.get(str(message.get("method")))
    if method is None or not isinstance(parameters, dict):
        return _failed(number, -32601, "No such method.")
    result = method(parameters, tools)
    if result is None:
        return _failed(number, -32602, "No such tool, or not its arguments.")
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _initialize(parameters: dict[str, Any], tools: Mapping[str, Tool]) -> dict[str, Any]:
    wanted = parameters.get("protocolVersion")
    return {
        "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[-1],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "notes", "version": "1"},
    }


def _ping(parameters: dict[str, Any], tools: Mapping[str, Tool]) -> dict[str, Any]:
    return {}


def _list(parameters: dict[str, Any], tools: Mapping[str, Tool]) -> dict[str, Any]:
    return {"tools": [tool.told(name) for name, tool in tools.items()]}


def _call(parameters: dict[str, Any], tools: Mapping[str, Tool]) -> dict[str, Any] | None:
    tool = tools.get(str(parameters.get("name")))
    given = parameters.get("arguments") or {}
    if tool is None or not isinstance(given, dict) or set(given) != set(tool.arguments):
        return None
    if not all(isinstance(text, str) for text in given.values()):
        return None
    return {"content": [{"type": "text", "text": tool.run(**given)}]}


_METHODS = {"initialize": _initialize, "ping": _ping, "tools/list": _list, "tools/call": _call}


def _failed(number: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}
