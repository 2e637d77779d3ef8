"""Kubernetes' library of URLs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from kctl.api.cel.errors import EvaluationError
from kctl.api.cel.standard import tenth
from kctl.api.cel.values import Opaque, cost_size, no_overload

DECLARATIONS = """
url: (string) kubernetes.URL
isURL: (string) bool
getScheme: kubernetes.URL.() string
getHost: kubernetes.URL.() string
getHostname: kubernetes.URL.() string
getPort: kubernetes.URL.() string
getEscapedPath: kubernetes.URL.() string
getQuery: kubernetes.URL.() map<string, list<string>>
"""


class URL(Opaque):
    """A URL, read."""

    __slots__ = ("parts", "text")
    type_name = "kubernetes.URL"

    def __init__(self, text: str, parts: SplitResult) -> None:
        self.text = text
        self.parts = parts

    def equals(self, other: Any) -> bool:
        """Say whether two URLs are written alike."""
        return isinstance(other, URL) and other.text == self.text


def parse(value: Any) -> URL:
    """Read a URL as url.ParseRequestURI does; EvaluationError for what is none."""
    if type(value) is not str:
        raise no_overload()
    why = ""
    if not value:
        why = "empty url"
    elif any(ord(c) < ord(" ") or ord(c) == 0x7F for c in value):
        why = "net/url: invalid control character in URL"
    elif not value.startswith("/") and not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", value):
        why = "invalid URI for request"
    elif re.search(r"%(?![0-9A-Fa-f]{2})", value):
        found = re.search(r"%(?![0-9A-Fa-f]{2}).{0,2}", value)
        why = f'invalid URL escape "{found.group() if found else ""}"'
    if not why:
        try:
            parts = urlsplit(value)
            _ = parts.port
            if " " in parts.netloc:
                why = 'invalid character " " in host name'
            elif parts.scheme and not parts.netloc and not parts.path.startswith("/"):
                why = "invalid URI for request"
            else:
                return URL(value, parts)
        except ValueError:
            why = "invalid port after host" if "]" not in value else "invalid host"
    raise EvaluationError(f'URL parse error during conversion from string: parse "{value}": {why}')


def is_url(value: Any) -> bool:
    """Say whether a text is a URL."""
    try:
        parse(value)
    except EvaluationError as error:
        if str(error) == "no such overload":
            raise
        return False
    return True


def _of(read: Callable[[SplitResult], Any]) -> Callable[[Any], Any]:
    def function(value: Any) -> Any:
        if not isinstance(value, URL):
            raise no_overload()
        return read(value.parts)

    return function


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _hostname(parts: SplitResult) -> str:
    host = _host(parts)
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _port(parts: SplitResult) -> str:
    host = _host(parts)
    rest = host.rpartition("]")[2]
    return rest.rpartition(":")[2] if ":" in rest else ""


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "url": parse,
    "isURL": is_url,
    "getScheme": _of(lambda parts: parts.scheme),
    "getHost": _of(_host),
    "getHostname": _of(_hostname),
    "getPort": _of(_port),
    "getEscapedPath": _of(lambda parts: quote(parts.path, safe="/%:@!$&'()*+,;=~-._")),
    "getQuery": _of(lambda parts: parse_qs(parts.query, keep_blank_values=True)),
}
COSTS: dict[str, Callable[[list[Any], Any], int]] = {
    "url": lambda args, _: tenth(cost_size(args[0])),
    "isURL": lambda args, _: tenth(cost_size(args[0])),
}
