"""Is an answer what was recorded? Recordings hold placeholders, each for one value within a case.

:class:`Matcher` is made once a case: ``<uid-1>`` must be the same uid wherever it stands, and
``<uid-2>`` another one. ``difference(want, got)`` returns "" or the first difference with its path.
"""

from __future__ import annotations

import json
import re
from typing import Any

PLACEHOLDER = re.compile(
    r"<(uid-\d+|rv-\d+|gen-\d+|clusterIP-\d+|nodePort-\d+|list-rv|bookmark-rv|nodePort|continue|jwt|n|server|age"
    r"|rand|time|microtime)>"
)
FORMS = {
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z",
    "microtime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "uid": r"[0-9a-f-]{36}",
    "rv": r"\d+",
    "list-rv": r"\d+",
    "bookmark-rv": r"\d+",
    "gen": r"[a-z0-9]{5}",
    "rand": r"[a-z0-9]{5}",
    "clusterIP": r"[0-9a-f.:]+",
    "nodePort": r"\d+",
    "n": r"\d+",
    "age": r"\d+[smhdy][0-9smhdy]*|<unknown>|<invalid>",
}
FREE = {"time", "microtime", "rand", "n", "age", "nodePort", "list-rv", "bookmark-rv", "continue", "jwt", "server"}
"""Placeholders without a number: they may stand for another value at each place."""


class Matcher:
    """What the placeholders of one case stand for."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.taken: dict[tuple[str, str], str] = {}

    def difference(self, want: Any, got: Any, at: str = "") -> str:
        """Return "" when ``got`` is what ``want`` says, else where and how it differs."""
        if isinstance(want, dict) and isinstance(got, dict):
            return self._objects(want, got, at)
        if isinstance(want, list) and isinstance(got, list):
            return self._lists(want, got, at)
        if isinstance(want, str) and self._text(want, got):
            return ""
        if want == got and type(want) is type(got):
            return ""
        if _is_number(want) and _is_number(got) and want == got:
            return ""
        return f"{at or '.'}: want {_short(want)}, got {_short(got)}"

    def _objects(self, want: dict[str, Any], got: dict[str, Any], at: str) -> str:
        """Compare two objects: the same keys, keys with placeholders matched one by one."""
        rest = dict(got)
        patterned = []
        for key, value in want.items():
            if key in rest:
                why = self.difference(value, rest.pop(key), f"{at}.{key}")
                if why:
                    return why
            elif PLACEHOLDER.search(key):
                patterned.append((key, value))
            else:
                return f"{at}.{key}: missing, want {_short(value)}"
        for key, value in patterned:
            found = next((name for name in rest if self._text(key, name)), None)
            if found is None:
                return f"{at}.{key}: missing, want {_short(value)}"
            why = self.difference(value, rest.pop(found), f"{at}.{key}")
            if why:
                return why
        if rest:
            key = next(iter(rest))
            return f"{at}.{key}: not expected, got {_short(rest[key])}"
        return ""

    def _lists(self, want: list[Any], got: list[Any], at: str) -> str:
        """Compare two lists, element by element."""
        for n, (a, b) in enumerate(zip(want, got, strict=False)):
            why = self.difference(a, b, f"{at}[{n}]")
            if why:
                return why
        if len(want) != len(got):
            return f"{at}: want {len(want)} items, got {len(got)}"
        return ""

    def _text(self, want: str, got: Any) -> bool:
        """Compare a text; placeholders in it are bound on success."""
        if isinstance(got, int) and not isinstance(got, bool) and PLACEHOLDER.fullmatch(want):
            got = str(got)
        if not isinstance(got, str):
            return False
        if not PLACEHOLDER.search(want):
            return want == got
        names: list[str] = []

        def pattern(found: re.Match[str]) -> str:
            names.append(found[1])
            return f"({FORMS.get(_kind(found[1]), '.+?')})"

        parts = PLACEHOLDER.split(want)
        text = "".join(
            re.escape(part) if n % 2 == 0 else pattern(PLACEHOLDER.fullmatch(f"<{part}>"))  # type: ignore[arg-type]
            for n, part in enumerate(parts)
        )
        matched = re.fullmatch(text, got, re.DOTALL)
        return matched is not None and all(
            self._bind(name, value) for name, value in zip(names, matched.groups(), strict=True)
        )

    def _bind(self, name: str, value: str) -> bool:
        """Let a numbered placeholder stand for the value; say whether that is consistent."""
        if name in FREE:
            return True
        if name in self.known:
            return self.known[name] == value
        owner = self.taken.get((_kind(name), value))
        if owner is not None and _kind(name) in {"uid", "rv"}:
            return False
        self.known[name] = value
        self.taken[_kind(name), value] = name
        return True


def _is_number(value: Any) -> bool:
    """Say whether the value is a number in JSON; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(name: str) -> str:
    """Return a placeholder's name without its number."""
    return re.sub(r"-\d+$", "", name)


def status_difference(matcher: Matcher, want: Any, got: Any) -> str:
    """Compare two answers; errors of one map may come in another order (the recordings say so)."""
    why = matcher.difference(want, got)
    if not why or not _reordered(want, got):
        return why
    causes_want, causes_got = (_causes(answer) for answer in (want, got))
    plain_want, plain_got = (
        {**answer, "message": "", "details": {**answer["details"], "causes": []}} for answer in (want, got)
    )
    texts = {f"{row.get('field')}: {row.get('message')}" for row in causes_want}
    if len(want["message"]) != len(got["message"]) or any(text not in got["message"] for text in texts):
        return why
    key = json.dumps
    return (
        why
        if sorted(map(key, causes_want)) != sorted(map(key, causes_got))
        else matcher.difference(plain_want, plain_got)
    )


def _causes(answer: Any) -> list[Any]:
    """Return the causes of a Status, [] of anything else."""
    if not isinstance(answer, dict) or not isinstance(answer.get("details"), dict):
        return []
    return answer["details"].get("causes") or []


def _reordered(want: Any, got: Any) -> bool:
    """Say whether causes are in another order only within one map."""

    def maps(answer: Any) -> list[str]:
        return [re.sub(r"\[[^\]\d][^\]]*\]$", "", str(row.get("field"))) for row in _causes(answer)]

    return bool(_causes(want)) and maps(want) == maps(got)


def _short(value: Any) -> str:
    """Show a value in at most a line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 160 else text[:157] + "..."
