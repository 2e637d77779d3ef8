"""JSON merge patch, RFC 7386."""

from __future__ import annotations

from typing import Any


def patch(target: Any, change: Any) -> Any:
    """Return the target with the patch laid over it: null takes out, lists replace.

    Shares what did not change; the target itself comes back when nothing does.
    """
    if not isinstance(change, dict):
        return change
    base: dict[str, Any] = target if isinstance(target, dict) else {}
    out = base
    for name, value in change.items():
        if value is None:
            if name in out:
                out = {other: out[other] for other in out if other != name}
            continue
        old = base.get(name)
        new = patch(old, value)
        if new is old or (name in base and new == old and type(new) is type(old)):
            continue
        if out is base:
            out = dict(base)
        out[name] = new
    return out if out is not base or target is base else {}
