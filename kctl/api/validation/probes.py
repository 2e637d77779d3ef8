"""Validation of probes and lifecycle hooks.

In comes a probe or hook with its path; complaints are appended as validateProbe, validateHandler
and validateLifecycle (core validation) order them.
"""

from __future__ import annotations

from typing import Any

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats
from kctl.api.validation.meta import Errors, formatted

SCHEMES = ("HTTP", "HTTPS")
TIMES = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def probe(value: Obj | None, grace: int, at: str, out: Errors) -> None:
    """Check a probe: one handler, no negative times."""
    if value is None:
        return
    _handler(value, at, out)
    for name in TIMES:
        if (value.get(name) or 0) < 0:
            out.append(errors.invalid(f"{at}.{name}", value[name], formats.NEGATIVE))
    seconds = value.get("terminationGracePeriodSeconds")
    if seconds is not None and seconds <= 0:
        out.append(errors.invalid(f"{at}.terminationGracePeriodSeconds", seconds, "must be greater than 0"))


def liveness(value: Obj | None, grace: int, at: str, out: Errors) -> None:
    """Check a liveness or startup probe, for which one success is enough."""
    probe(value, grace, at, out)
    if value is not None and (value.get("successThreshold") or 0) != 1:
        out.append(errors.invalid(f"{at}.successThreshold", value.get("successThreshold") or 0, "must be 1"))


def readiness(value: Obj | None, grace: int, at: str, out: Errors) -> None:
    """Check a readiness probe, which has no grace period of its own."""
    probe(value, grace, at, out)
    if value is not None and value.get("terminationGracePeriodSeconds") is not None:
        seconds = value["terminationGracePeriodSeconds"]
        text = "must not be set for readinessProbes"
        out.append(errors.invalid(f"{at}.terminationGracePeriodSeconds", seconds, text))


def lifecycle(value: Obj | None, grace: int, at: str, out: Errors) -> None:
    """Check the hooks of a container."""
    for name in ("postStart", "preStop"):
        hook = (value or {}).get(name)
        if hook is not None:
            _handler(hook, f"{at}.{name}", out, grace=grace)


def _handler(value: Obj, at: str, out: Errors, *, grace: int = 0) -> None:
    """Check that exactly one handler is given, and that one, as validateHandler."""
    given = 0
    for name, check in (("exec", _exec), ("httpGet", _http), ("tcpSocket", _tcp), ("grpc", _grpc), ("sleep", _sleep)):
        handler = value.get(name)
        if handler is None:
            continue
        given += 1
        if given > 1:
            out.append(errors.forbidden_field(f"{at}.{name}", "may not specify more than 1 handler type"))
        elif name == "sleep":
            _sleep(handler, f"{at}.{name}", out, grace)
        else:
            check(handler, f"{at}.{name}", out, grace)
    if not given:
        out.append(errors.required(at, "must specify a handler type"))


def _exec(value: Obj, at: str, out: Errors, grace: int) -> None:
    """Check a command."""
    if not value.get("command"):
        out.append(errors.required(f"{at}.command"))


def _http(value: Obj, at: str, out: Errors, grace: int) -> None:
    """Check an HTTP request."""
    if not value.get("path"):
        out.append(errors.required(f"{at}.path"))
    port(value.get("port"), f"{at}.port", out)
    scheme = value.get("scheme") or ""
    if scheme not in SCHEMES:
        out.append(errors.not_supported(f"{at}.scheme", scheme, SCHEMES))
    for header in value.get("httpHeaders") or ():
        formatted(formats.http_header_name, header.get("name") or "", f"{at}.httpHeaders", out)


def _tcp(value: Obj, at: str, out: Errors, grace: int) -> None:
    """Check a TCP connection."""
    port(value.get("port"), f"{at}.port", out)


def _grpc(value: Obj, at: str, out: Errors, grace: int) -> None:
    """Check a gRPC call."""
    port(value.get("port") or 0, f"{at}.port", out)


def _sleep(value: Obj, at: str, out: Errors, grace: int) -> None:
    """Check a pause, which must end within the grace period."""
    seconds = value.get("seconds") or 0
    if seconds < 0 or seconds > grace:
        text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace}) or equal"
        out.append(errors.invalid(f"{at}.seconds", seconds, text))


def port(value: Any, at: str, out: Errors) -> None:
    """Check a port number or the name of one, as ValidatePortNumOrName."""
    if isinstance(value, str):
        formatted(formats.port_name, value, at, out)
        return
    for text in formats.port_number(value or 0):
        out.append(errors.invalid(at, value or 0, text))
