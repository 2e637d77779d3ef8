"""Kubernetes' library of formats: names, labels, times, by the rules objects are checked by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.api.cel.standard import tenth
from kctl.api.cel.values import NONE, Opaque, Optional, cost_size, no_overload

NAMES = (
    "dns1123Label",
    "dns1123Subdomain",
    "dns1035Label",
    "qualifiedName",
    "dns1123LabelPrefix",
    "dns1123SubdomainPrefix",
    "dns1035LabelPrefix",
    "labelValue",
    "uri",
    "uuid",
    "byte",
    "date",
    "datetime",
)
DECLARATIONS = (
    "format.named: (string) optional<kubernetes.NamedFormat>\n"
    + "\n".join(f"format.{name}: () kubernetes.NamedFormat" for name in NAMES)
    + "\nvalidate: kubernetes.NamedFormat.(string) optional<list<string>>\n"
)


class Format(Opaque):
    """A format by its name."""

    __slots__ = ("name",)
    type_name = "kubernetes.NamedFormat"

    def __init__(self, name: str) -> None:
        self.name = name

    def equals(self, other: Any) -> bool:
        """Say whether two formats are the same."""
        return isinstance(other, Format) and other.name == self.name


def _complaints(name: str, value: str) -> list[str]:
    from kctl.api.crd import formats as open_api
    from kctl.api.validation import formats

    checks: dict[str, Callable[[str], list[str]]] = {
        "dns1123Label": formats.dns_label,
        "dns1123Subdomain": formats.dns_subdomain,
        "dns1035Label": formats.dns_1035_label,
        "qualifiedName": formats.qualified_name_plain,
        "dns1123LabelPrefix": formats.as_prefix(formats.dns_label),
        "dns1123SubdomainPrefix": formats.as_prefix(formats.dns_subdomain),
        "dns1035LabelPrefix": formats.as_prefix(formats.dns_1035_label),
        "labelValue": formats.label_value,
    }
    if name in checks:
        return checks[name](value)
    words = {
        "uri": "does not match the URI format",
        "uuid": "does not match the UUID format",
        "byte": "invalid base64",
        "date": "invalid date",
        "datetime": "invalid datetime",
    }
    return [] if open_api.fits("date-time" if name == "datetime" else name, value) else [words[name]]


def validate(value: Any, text: Any) -> Optional:
    """Return what is wrong with a text, nothing when it has the format."""
    if not isinstance(value, Format) or type(text) is not str:
        raise no_overload()
    found = _complaints(value.name, text)
    return Optional(found) if found else NONE


def named(name: Any) -> Optional:
    """Return the format of a name."""
    if type(name) is not str:
        raise no_overload()
    return Optional(Format(name)) if name in NAMES else NONE


def _constant(name: str) -> Callable[[], Format]:
    found = Format(name)
    return lambda: found


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "format.named": named,
    **{f"format.{name}": _constant(name) for name in NAMES},
    "validate": validate,
}
COSTS: dict[str, Callable[[list[Any], Any], int]] = {
    "validate": lambda args, _: 1 + tenth(cost_size(args[1])) * 8,
}
