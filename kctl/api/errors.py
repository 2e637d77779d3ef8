"""The errors of kctl, one tree::

    KctlError                 exit_code 1, hint ""; the CLI prints it as one line
    ├── UsageError            exit_code 2   the command line cannot be understood
    ├── Refused               exit_code 4   a safety guard says no
    └── StatusError           what kube-apiserver answers: a metav1.Status with code and reason

Everything the API server refuses is a :class:`StatusError` with upstream's reason, code and
message (k8s.io/apimachinery/pkg/api/errors). Only ``kctl/cli/errors.py`` catches
:class:`KctlError`; retryable are ``Conflict`` and ``ServiceUnavailable`` alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from kctl.api.objects import Obj


class KctlError(Exception):
    """Anything that goes wrong for a reason the user can act on."""

    exit_code = 1
    hint = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        if hint:
            self.hint = hint


class UsageError(KctlError):
    """The command line cannot be understood."""

    exit_code = 2


class Refused(KctlError):
    """A safety guard refuses to go on."""

    exit_code = 4


OMITTED: Any = object()
"""As the value of a FieldError: the message says none (field.OmitValueType)."""


class FieldError(NamedTuple):
    """One error of one field, as k8s.io/apimachinery/pkg/util/validation/field.Error.

    ``type`` is the cause's reason (``FieldValueInvalid``), ``detail`` the text behind the value.
    """

    type: str
    field: str
    value: Any
    detail: str

    def body(self) -> str:
        """Return the message without the field, as field.Error.ErrorBody."""
        word = WORDS[self.type]
        if self.type in VALUELESS or self.value is OMITTED:
            shown = word
        else:
            shown = f"{word}: {go_value(self.value)}"
        return f"{shown}: {self.detail}" if self.detail else shown

    def __str__(self) -> str:
        return f"{self.field}: {self.body()}"


WORDS = {
    "FieldValueNotFound": "Not found",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueTooLong": "Too long",
    "FieldValueTooMany": "Too many",
    "InternalError": "Internal error",
    "FieldValueTypeInvalid": "Invalid value",
}
VALUELESS = {
    "FieldValueRequired",
    "FieldValueForbidden",
    "FieldValueTooLong",
    "InternalError",
}


def go_value(value: Any) -> str:
    """Write a value as field.Error does: strings quoted (%q), everything else as Go's JSON."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def not_found_field(field: str, value: Any, detail: str = "") -> FieldError:
    """Return the error of a reference that leads nowhere."""
    return FieldError("FieldValueNotFound", field, value, detail)


def required(field: str, detail: str = "") -> FieldError:
    """Return the error of a field that must be set."""
    return FieldError("FieldValueRequired", field, "", detail)


def duplicate(field: str, value: Any) -> FieldError:
    """Return the error of a value that occurs twice."""
    return FieldError("FieldValueDuplicate", field, value, "")


def invalid(field: str, value: Any, detail: str) -> FieldError:
    """Return the error of a malformed value."""
    return FieldError("FieldValueInvalid", field, value, detail)


def not_supported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    """Return the error of a value outside its enumeration; ``supported`` keeps its order."""
    listed = ", ".join(json.dumps(s, ensure_ascii=False) for s in supported)
    return FieldError("FieldValueNotSupported", field, value, f"supported values: {listed}" if listed else "")


def forbidden_field(field: str, detail: str) -> FieldError:
    """Return the error of a field that may not be set or changed."""
    return FieldError("FieldValueForbidden", field, "", detail)


def too_long(field: str, value: Any, limit: int) -> FieldError:
    """Return the error of a text above its limit in bytes."""
    return FieldError("FieldValueTooLong", field, value, f"may not be more than {limit} bytes")


def too_many(field: str, count: int, limit: int) -> FieldError:
    """Return the error of a list above its limit."""
    detail = f"must have at most {limit} item{'' if limit == 1 else 's'}"
    return FieldError("FieldValueTooMany", field, count, detail)


class StatusError(KctlError):
    """What the API server answers when it does not do what was asked."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: Obj | None = None, errors: Sequence[FieldError] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details
        self.errors = tuple(errors)

    def status(self) -> Obj:
        """Return the metav1.Status object."""
        out: Obj = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            out["reason"] = self.reason
        if self.details:
            out["details"] = self.details
        out["code"] = self.code
        return out


def _details(name: str, resource: str, **more: Any) -> Obj:
    """Build details: ``resource`` is ``deployments.apps``; upstream splits group from resource."""
    plural, _, group = resource.partition(".")
    out: Obj = {}
    if name:
        out["name"] = name
    if group:
        out["group"] = group
    if plural:
        out["kind"] = plural
    out.update(more)
    return out


def not_found(resource: str, name: str) -> StatusError:
    """404: no such object. ``resource`` is ``pods`` or ``deployments.apps``."""
    return StatusError(404, "NotFound", f'{resource} "{name}" not found', details=_details(name, resource))


def already_exists(resource: str, name: str) -> StatusError:
    """409: an object of that name is there already."""
    message = f'{resource} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, details=_details(name, resource))


def conflict(resource: str, name: str, why: str) -> StatusError:
    """409: the write was based on something that is no longer so."""
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return StatusError(409, "Conflict", message, details=_details(name, resource))


def apply_conflict(message: str, causes: list[Obj]) -> StatusError:
    """409: server-side apply met fields of other managers; causes name them."""
    return StatusError(409, "Conflict", message, details={"causes": causes})


def forbidden(resource: str, name: str, why: str, *, causes: list[Obj] | None = None) -> StatusError:
    """403: admission or authorisation says no."""
    what = f'{resource} "{name}" is' if name else f"{resource} is"
    if not resource:
        what = "forbidden:"
        message = f"forbidden: {why}"
    else:
        message = f"{what} forbidden: {why}"
    details = _details(name, resource, **({"causes": causes} if causes else {}))
    return StatusError(403, "Forbidden", message, details=details)


def bad_request(message: str) -> StatusError:
    """400: the request cannot be understood."""
    return StatusError(400, "BadRequest", message)


def unprocessable(kind: str, group: str, name: str, errors: Sequence[FieldError]) -> StatusError:
    """422: the object is not valid; one cause a field error, as errors.NewInvalid."""
    texts = list(dict.fromkeys(map(str, errors)))
    if len(texts) == 1:
        joined = texts[0]
    else:
        joined = "[" + ", ".join(texts) + "]"
    qualified = f"{kind}.{group}" if group else kind
    details: Obj = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details["causes"] = [{"reason": e.type, "message": e.body(), "field": e.field} for e in errors]
    message = f'{qualified} "{name}" is invalid: {joined}'
    return StatusError(422, "Invalid", message, details=details, errors=errors)


def gone(message: str) -> StatusError:
    """410: the revision asked for has been compacted."""
    return StatusError(410, "Expired", message)


def unsupported_media_type(message: str) -> StatusError:
    """415: the body's content type is not one the server reads."""
    return StatusError(415, "UnsupportedMediaType", message)


def internal(message: str) -> StatusError:
    """500: the server failed."""
    return StatusError(500, "InternalError", f"Internal error occurred: {message}")


def unavailable(message: str) -> StatusError:
    """503: the server cannot answer now."""
    return StatusError(503, "ServiceUnavailable", message)
