"""Validation of metadata, labels and label selectors, the same for every kind.

In comes ``metadata`` (or a selector) with its path; complaints are appended to the caller's list,
as apimachinery's ValidateObjectMeta, ValidateObjectMetaUpdate and ValidateLabelSelector order them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kctl.api import errors
from kctl.api.errors import FieldError
from kctl.api.objects import Obj
from kctl.api.validation import formats
from kctl.api.validation.formats import Format

Errors = list[FieldError]

ANNOTATION_BYTES = 256 * 1024
NO_OPERATOR = "not a valid selector operator"
STANDARD_FINALIZERS = {"kubernetes", "orphan", "foregroundDeletion"}
OWNER_FIELDS = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")


class Names(NamedTuple):
    """How the names of a kind are checked; ``masked`` lets generateName end in a dash."""

    check: Format
    masked: bool = True

    def prefix(self, value: str) -> list[str]:
        """Check a generateName."""
        if self.masked:
            return formats.as_prefix(self.check)(value)
        return formats.path_segment_prefix(value)


SUBDOMAIN = Names(formats.dns_subdomain)
LONG_NAME = Names(formats.long_name)
LABEL = Names(formats.dns_label)
LABEL_1035 = Names(formats.dns_1035_label)
PATH_SEGMENT = Names(formats.path_segment, masked=False)


def formatted(check: Format, value: str, at: str, out: Errors) -> None:
    """Append one Invalid error for every complaint of ``check`` about the value."""
    for text in check(value):
        out.append(errors.invalid(at, value, text))


def create(meta: Obj, *, namespaced: bool, names: Names, kube: bool, out: Errors) -> None:
    """Check the metadata of a new object; ``kube`` adds the rule for finalizers without a domain."""
    prefix, name = meta.get("generateName") or "", meta.get("name") or ""
    for text in names.prefix(prefix) if prefix else ():
        out.append(errors.invalid("metadata.generateName", prefix, text))
    if not name:
        out.append(errors.required("metadata.name", "name or generateName is required"))
    else:
        formatted(names.check, name, "metadata.name", out)
    namespace = meta.get("namespace") or ""
    if namespaced and not namespace:
        out.append(errors.required("metadata.namespace"))
    elif namespaced:
        formatted(formats.dns_label, namespace, "metadata.namespace", out)
    elif namespace:
        out.append(errors.forbidden_field("metadata.namespace", "not allowed on this type"))
    common(meta, out)
    if kube:
        kube_finalizers(meta.get("finalizers") or (), out)


def common(meta: Obj, out: Errors) -> None:
    """Check what creation and update check alike, in upstream's order."""
    if (meta.get("generation") or 0) < 0:
        out.append(errors.invalid("metadata.generation", meta["generation"], formats.NEGATIVE))
    labels(meta.get("labels"), "metadata.labels", out)
    check_annotations(meta.get("annotations"), "metadata.annotations", out)
    owners(meta.get("ownerReferences") or [], "metadata.ownerReferences", out)
    finalizers(meta.get("finalizers") or [], "metadata.finalizers", out)


IMMUTABLE = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


def update(new: Obj, old: Obj, out: Errors) -> None:
    """Check changed metadata, as ValidateObjectMetaUpdate."""
    if old.get("deletionTimestamp"):
        extra = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if extra:
            found = "[]string{" + ", ".join(map(errors.go_value, extra)) + "}"
            text = "no new finalizers can be added if the object is being deleted, found new finalizers "
            out.append(errors.forbidden_field("metadata.finalizers", text + found))
    if not new.get("resourceVersion"):
        out.append(errors.invalid("metadata.resourceVersion", "", "must be specified for an update"))
    if (new.get("generation") or 0) < (old.get("generation") or 0):
        out.append(errors.invalid("metadata.generation", new.get("generation") or 0, "must not be decremented"))
    for name in IMMUTABLE:
        if (new.get(name) or None) != (old.get(name) or None):
            shown = new.get(name) or ("" if name in {"name", "namespace", "uid"} else None)
            out.append(errors.invalid(f"metadata.{name}", shown, formats.IMMUTABLE))
    labels(new.get("labels"), "metadata.labels", out)
    check_annotations(new.get("annotations"), "metadata.annotations", out)
    owners(new.get("ownerReferences") or [], "metadata.ownerReferences", out)


def kube_finalizers(values: Any, out: Errors) -> None:
    """Refuse finalizers that are neither standard nor carry a domain, as validateKubeFinalizerName."""
    for n, value in enumerate(values):
        kube_finalizer(value, f"metadata.finalizers[{n}]", out)


def kube_finalizer(value: str, at: str, out: Errors) -> None:
    """Check one finalizer beyond its form."""
    if "/" not in value and value not in STANDARD_FINALIZERS:
        out.append(errors.invalid(at, value, "name is neither a standard finalizer name nor is it fully qualified"))


def labels(values: Obj | None, at: str, out: Errors) -> None:
    """Check keys and values of labels."""
    for key, value in (values or {}).items():
        formatted(formats.qualified_name, key, at, out)
        formatted(formats.label_value, value or "", at, out)


def check_annotations(values: Obj | None, at: str, out: Errors) -> None:
    """Check the keys of annotations (case does not matter) and their size in all."""
    total = 0
    for key, value in (values or {}).items():
        for text in formats.qualified_name(key.lower()):
            out.append(errors.invalid(at, key, text))
        total += formats.size(key) + formats.size(value or "")
    if total > ANNOTATION_BYTES:
        out.append(errors.too_long(at, "", ANNOTATION_BYTES))


def owners(refs: list[Obj], at: str, out: Errors) -> None:
    """Check owner references: complete, and at most one controller."""
    controller = ""
    for ref in refs:
        if not (ref.get("apiVersion") or "").rpartition("/")[2]:
            out.append(errors.invalid(f"{at}.apiVersion", ref.get("apiVersion") or "", "version must not be empty"))
        for name in ("kind", "name", "uid"):
            if not ref.get(name):
                out.append(errors.invalid(f"{at}.{name}", "", "must not be empty"))
        if (ref.get("apiVersion"), ref.get("kind")) == ("v1", "Event"):
            out.append(errors.invalid(at, _owner(ref), "/v1, Kind=Event is disallowed from being an owner"))
        if ref.get("controller"):
            this = f"{ref.get('kind', '')}/{ref.get('name', '')}"
            if controller:
                text = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {this}"
                )
                out.append(errors.invalid(at, [_owner(r) for r in refs], text))
            else:
                controller = this


def _owner(ref: Obj) -> Obj:
    """Return the reference with its fields in the order of the Go type."""
    return {name: ref[name] for name in OWNER_FIELDS if name in ref}


def finalizers(values: list[str], at: str, out: Errors) -> None:
    """Check the form of finalizers and that they do not contradict each other."""
    for value in values:
        formatted(formats.qualified_name, value, at, out)
    if "orphan" in values and "foregroundDeletion" in values:
        text = "finalizer orphan and foregroundDeletion cannot be both set"
        out.append(errors.invalid(at, values, text))


def domain_prefixed(value: str, at: str, out: Errors) -> None:
    """Check a path that begins with a domain, as IsDomainPrefixedPath: each part is shown alone."""
    host, _, path = value.partition("/")
    if not value:
        out.append(errors.required(at))
    elif not host or not path:
        out.append(errors.invalid(at, value, 'must be a domain-prefixed path (such as "acme.io/foo")'))
    else:
        formatted(formats.dns_subdomain, host, at, out)
        formatted(formats.http_path, path, at, out)


def immutable(value: Any, before: Any, at: str, out: Errors, *, shown: Any = None) -> None:
    """Check that a field stays; ``shown`` is what a complaint says it is now."""
    if value != before:
        out.append(errors.invalid(at, value if shown is None else shown, formats.IMMUTABLE))


def selector(value: Obj | None, at: str, out: Errors) -> None:
    """Check a metav1.LabelSelector, as unversioned ValidateLabelSelector."""
    if not value:
        return
    labels(value.get("matchLabels"), f"{at}.matchLabels", out)
    for n, requirement in enumerate(value.get("matchExpressions") or ()):
        selector_requirement(requirement, f"{at}.matchExpressions[{n}]", out)


def selector_requirement(value: Obj, at: str, out: Errors) -> None:
    """Check one expression of a label selector."""
    _operator(value, at, out)
    formatted(formats.qualified_name, value.get("key") or "", f"{at}.key", out)
    for n, text in enumerate(value.get("values") or ()):
        formatted(formats.label_value, text, f"{at}.values[{n}]", out)


def field_requirement(value: Obj, at: str, out: Errors) -> None:
    """Check one expression of a field selector, as ValidateFieldSelectorRequirement."""
    if not value.get("key"):
        out.append(errors.required(f"{at}.key", "must be specified"))
    _operator(value, at, out)


def _operator(value: Obj, at: str, out: Errors) -> None:
    """Check that an expression's operator is one, and has values as it needs."""
    operator, values = value.get("operator") or "", value.get("values") or ()
    if operator in {"In", "NotIn"}:
        if not values:
            text = "must be specified when `operator` is 'In' or 'NotIn'"
            out.append(errors.required(f"{at}.values", text))
    elif operator in {"Exists", "DoesNotExist"}:
        if values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            out.append(errors.forbidden_field(f"{at}.values", text))
    else:
        out.append(errors.invalid(f"{at}.operator", operator, NO_OPERATOR))


def selector_error(value: Obj) -> bool:
    """Say whether metav1.LabelSelectorAsSelector would refuse the selector."""
    found: Errors = []
    selector(value, "", found)
    return bool(found)


def shown_selector(value: Obj | None) -> Obj | None:
    """Return a selector with its fields in the order Go writes them."""
    if value is None:
        return None
    out: Obj = {}
    if value.get("matchLabels"):
        out["matchLabels"] = dict(sorted(value["matchLabels"].items()))
    if value.get("matchExpressions"):
        rows = []
        for row in value["matchExpressions"]:
            shown = {"key": row.get("key") or "", "operator": row.get("operator") or ""}
            if row.get("values"):
                shown["values"] = row["values"]
            rows.append(shown)
        out["matchExpressions"] = rows
    return out
