"""Validation of CustomResourceDefinitions.

In: a defaulted definition, on an update also the one before. Out: field errors. Upstream judges its
internal form, where what all versions agree on stands in the spec itself: paths and messages are of
that form (apiextensions-apiserver pkg/apis/apiextensions/validation).
"""

from __future__ import annotations

from typing import Any

from kctl.api import errors
from kctl.api.crd import naming, paths, schemas, written
from kctl.api.objects import Obj, dig
from kctl.api.validation import formats, webhooks
from kctl.api.validation.meta import Errors, Names

SHARED = {
    "schema": "validation",
    "subresources": "subresources",
    "additionalPrinterColumns": "additionalPrinterColumns",
    "selectableFields": "selectableFields",
}
"""What stands in the spec where all versions say the same, and its name there."""
COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
MAX_SELECTABLE = 8
MAX_WARNING = 256
ROOT_FIELDS = [
    "description",
    "type",
    "format",
    "title",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "multipleOf",
    "required",
    "items",
    "properties",
    "externalDocs",
    "example",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
]
ROOT_FIELDS_SHOWN = (
    "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern "
    "MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example "
    "XPreserveUnknownFields XValidations]"
)


def names_of(obj: Obj) -> Names:
    """Return how the name of a definition is checked: it says what it defines."""
    names, group = dig(obj, "spec", "names", "plural") or "", dig(obj, "spec", "group") or ""

    def check(value: str) -> list[str]:
        wrong = formats.dns_subdomain(value)
        return wrong if value == f"{names}.{group}" else [*wrong, 'must be spec.names.plural+"."+spec.group']

    return Names(check)


def definition(obj: Obj, out: Errors) -> None:
    """Check a new definition."""
    _spec(obj.get("spec") or {}, out)
    _names(dig(obj, "status", "acceptedNames") or {}, "status.acceptedNames", out)
    _stored(obj, out)
    state, why = naming.approval(obj)
    at = f"metadata.annotations[{naming.APPROVAL}]"
    if state == "missing":
        out.append(errors.required(at, why))
    elif state == "invalid":
        out.append(errors.invalid(at, obj["metadata"]["annotations"][naming.APPROVAL], why))
    if dig(obj, "spec", "preserveUnknownFields"):
        why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        out.append(errors.invalid("spec.preserveUnknownFields", True, why))


def definition_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed definition; a spec that did not change is not judged again."""
    spec, before = new.get("spec") or {}, old["spec"]
    if spec != before:
        _spec(spec, out)
    if any(c["type"] == "Established" and c["status"] == "True" for c in dig(old, "status", "conditions") or ()):
        for at, value, was in (
            ("scope", spec.get("scope"), before.get("scope")),
            ("names.kind", dig(spec, "names", "kind"), dig(before, "names", "kind")),
        ):
            if value != was:
                out.append(errors.invalid(f"spec.{at}", value or "", formats.IMMUTABLE))
    for at, value, was in (
        ("group", spec.get("group"), before.get("group")),
        ("names.plural", dig(spec, "names", "plural"), dig(before, "names", "plural")),
    ):
        if value != was:
            out.append(errors.invalid(f"spec.{at}", value or "", formats.IMMUTABLE))
    _stored(new, out)


def definition_status(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed status."""
    _names(dig(new, "status", "acceptedNames") or {}, "status.acceptedNames", out)
    _stored(new, out)


def _stored(obj: Obj, out: Errors) -> None:
    """Check the versions objects are said to be stored in."""
    at = "status.storedVersions"
    stored = dig(obj, "status", "storedVersions") or []
    if not stored:
        out.append(errors.invalid(at, None, "must have at least one stored version"))
        return
    versions: list[Obj] = dig(obj, "spec", "versions") or []
    for version in versions:
        if version.get("storage") and (version.get("name") or "") not in stored:
            out.append(errors.invalid(at, stored, f"must have the storage version {version.get('name') or ''}"))
    known = {version.get("name") or "" for version in versions}
    for n, name in enumerate(stored):
        if name not in known:
            out.append(errors.invalid(f"{at}[{n}]", name, "must appear in spec.versions"))


def hoisted(spec: Obj) -> tuple[Obj, list[Obj]]:
    """Return what all versions agree on, and the versions without it."""
    versions: list[Obj] = spec.get("versions") or []
    shared: Obj = {}
    for name in SHARED:
        found = [version.get(name) for version in versions]
        if found and all(one == found[0] for one in found):
            shared[name] = found[0]
    return shared, [{k: v for k, v in version.items() if k not in shared} for version in versions]


def _spec(spec: Obj, out: Errors) -> None:
    _group(spec.get("group") or "", out)
    _scope(spec.get("scope") or "", out)
    shared, versions = hoisted(spec)
    for n, version in enumerate(versions):
        if dig(shared, "schema", "openAPIV3Schema") is None and dig(version, "schema", "openAPIV3Schema") is None:
            why = "" if "schema" in shared or "schema" in version else "schemas are required"
            out.append(errors.required(f"spec.versions[{n}].schema.openAPIV3Schema", why))
    for n, version in enumerate(versions):
        _version(version, f"spec.versions[{n}]", out)
    names = [version.get("name") or "" for version in versions]
    if len(set(names)) < len(names):
        out.append(errors.invalid("spec.versions", written.versions(versions), "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        why = "must have exactly one version marked as storage version"
        shown = None if spec.get("versions") is None else written.versions(versions)
        out.append(errors.invalid("spec.versions", shown, why))
    if names:
        _formatted(formats.dns_1035_label(names[0]), "spec.version", names[0], out)
    given = spec.get("names") or {}
    for name in ("plural", "singular", "kind", "listKind"):
        if not given.get(name):
            out.append(errors.required(f"spec.names.{name}"))
    _names(given, "spec.names", out)
    _parts(shared, "spec", "validation", out)
    _conversion(spec.get("conversion") or {}, "spec.conversion", out)


def _formatted(wrong: list[str], at: str, value: str, out: Errors, lead: str = "") -> None:
    if wrong:
        out.append(errors.invalid(at, value, lead + ",".join(wrong)))


def _group(group: str, out: Errors) -> None:
    if not group:
        out.append(errors.required("spec.group"))
    elif wrong := formats.dns_subdomain(group):
        _formatted(wrong, "spec.group", group, out)
    elif "." not in group:
        out.append(errors.invalid("spec.group", group, "should be a domain with at least one dot"))


def _scope(scope: str, out: Errors) -> None:
    if not scope:
        out.append(errors.required("spec.scope"))
    elif scope not in ("Cluster", "Namespaced"):
        out.append(errors.not_supported("spec.scope", scope, ("Cluster", "Namespaced")))


def _version(version: Obj, at: str, out: Errors) -> None:
    name = version.get("name") or ""
    _formatted(formats.dns_1035_label(name), f"{at}.name", name, out)
    _deprecation(version, f"{at}.deprecationWarning", out)
    _parts(version, at, "schema", out)


def _deprecation(version: Obj, at: str, out: Errors) -> None:
    text = version.get("deprecationWarning")
    if text is None:
        return
    if not version.get("deprecated"):
        out.append(errors.invalid(at, text, "can only be set for deprecated versions"))
        return
    if len(text.encode()) > MAX_WARNING:
        out.append(errors.invalid(at, text, f"must be <= {MAX_WARNING} characters long"))
    if not text:
        out.append(errors.invalid(at, text, "must not be an empty string"))
    odd = next((n for n, letter in enumerate(text) if not letter.isprintable()), -1)
    if odd >= 0:
        why = f"must only contain printable UTF-8 characters; non-printable character found at index {odd}"
        out.append(errors.invalid(at, text, why))


def _parts(holder: Obj, at: str, schema_name: str, out: Errors) -> None:
    """Check what a version says, or all of them."""
    schema = dig(holder, "schema", "openAPIV3Schema")
    subresources = holder.get("subresources")
    if isinstance(schema, dict):
        _schema(
            schema, f"{at}.{schema_name}.openAPIV3Schema", out, has_status=dig(subresources or {}, "status") is not None
        )
    _subresources(subresources, f"{at}.subresources", out)
    for n, column in enumerate(holder.get("additionalPrinterColumns") or ()):
        _column(column, f"{at}.additionalPrinterColumns[{n}]", out)
    fields = holder.get("selectableFields") or []
    if fields and isinstance(schema, dict):
        _selectable(fields, schema, f"{at}.selectableFields", out)


def _schema(schema: Obj, at: str, out: Errors, *, has_status: bool) -> None:
    if has_status:
        for name in schema:
            if name == "type" and schema["type"] != "object":
                why = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
                out.append(errors.invalid(f"{at}.type", schema["type"], why))
                break
            if name not in ROOT_FIELDS and schema[name] not in (None, "", [], {}, False):
                why = f"only {ROOT_FIELDS_SHOWN} fields are allowed at the root of the schema if the status subresource is enabled"
                out.append(errors.invalid(at, schema, why))
                break
    if schema.get("nullable"):
        out.append(errors.forbidden_field(f"{at}.nullable", "nullable cannot be true at the root"))
    out += schemas.check(schema, at)


def _names(names: Obj, at: str, out: Errors) -> None:
    mixed = "may have mixed case, but should otherwise match: "
    for name in ("plural", "singular"):
        if names.get(name):
            _formatted(formats.dns_1035_label(names[name]), f"{at}.{name}", names[name], out)
    for name in ("kind", "listKind"):
        if names.get(name):
            _formatted(formats.dns_1035_label(names[name].lower()), f"{at}.{name}", names[name], out, mixed)
    for n, short in enumerate(names.get("shortNames") or ()):
        _formatted(formats.dns_1035_label(short), f"{at}.shortNames[{n}]", short, out)
    if names.get("kind") and names["kind"] == names.get("listKind"):
        out.append(errors.invalid(f"{at}.listKind", names["listKind"], "kind and listKind may not be the same"))
    for n, category in enumerate(names.get("categories") or ()):
        _formatted(formats.dns_1035_label(category), f"{at}.categories[{n}]", category, out)


def _simple_path(path: str, at: str, out: Errors) -> bool:
    """Check a JSON path in dot notation; say whether it is one."""
    if not path:
        out.append(errors.invalid(at, path, "must not be empty"))
    elif path[0] != ".":
        out.append(errors.invalid(at, path, "must be a simple json path starting with ."))
    else:
        return True
    return False


def _subresources(value: Any, at: str, out: Errors) -> None:
    scale = dig(value or {}, "scale")
    if scale is None:
        return
    for name, under in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        path, here = scale.get(name) or "", f"{at}.scale.{name}"
        if not path:
            out.append(errors.required(here))
        elif _simple_path(path, here, out) and not path.startswith(under):
            out.append(errors.invalid(here, path, f"should be a json path under {under.rstrip('.')}"))
    path, here = scale.get("labelSelectorPath") or "", f"{at}.scale.labelSelectorPath"
    if path and _simple_path(path, here, out) and not path.startswith((".spec.", ".status.")):
        out.append(errors.invalid(here, path, "should be a json path under either .spec or .status"))


def _column(column: Obj, at: str, out: Errors) -> None:
    if not column.get("name"):
        out.append(errors.required(f"{at}.name"))
    kind, form = column.get("type") or "", column.get("format") or ""
    among = f"must be one of {','.join(COLUMN_TYPES)}"
    if not kind:
        out.append(errors.required(f"{at}.type", among))
    elif kind not in COLUMN_TYPES:
        out.append(errors.invalid(f"{at}.type", kind, among))
    if form and form not in COLUMN_FORMATS:
        out.append(errors.invalid(f"{at}.format", form, f"must be one of {','.join(COLUMN_FORMATS)}"))
    path = column.get("jsonPath") or ""
    if not path:
        out.append(errors.required(f"{at}.JSONPath"))
    else:
        _simple_path(path, f"{at}.JSONPath", out)


def _selectable(fields: list[Obj], schema: Obj, at: str, out: Errors) -> None:
    seen: set[str] = set()
    for n, field in enumerate(fields):
        path, here = field.get("jsonPath") or "", f"{at}[{n}].jsonPath"
        if not path:
            out.append(errors.required(here))
            continue
        try:
            name, found = paths.resolve(path, schema, with_brackets=False)
        except paths.BadPath as error:
            out.append(errors.invalid(here, path, f"is an invalid path: {error}"))
            continue
        if name.partition(".")[0] == "metadata":
            out.append(errors.invalid(here, path, "must not point to fields in metadata"))
        if found.get("type") not in ("string", "boolean", "integer"):
            why = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
            out.append(errors.invalid(here, path, why))
        if name in seen:
            out.append(errors.duplicate(here, path))
        seen.add(name)
    if len(fields) > MAX_SELECTABLE:
        out.append(errors.too_many(at, len(fields), MAX_SELECTABLE))


def _conversion(value: Obj, at: str, out: Errors) -> None:
    strategy = value.get("strategy") or ""
    if not strategy:
        out.append(errors.required(f"{at}.strategy"))
    elif strategy not in ("None", "Webhook"):
        out.append(errors.not_supported(f"{at}.strategy", strategy, ("None", "Webhook")))
    hook = value.get("webhook") or {}
    client, reviews = hook.get("clientConfig"), hook.get("conversionReviewVersions") or []
    if strategy != "Webhook":
        why = "should not be set when strategy is not set to Webhook"
        if client is not None:
            out.append(errors.forbidden_field(f"{at}.webhookClientConfig", why))
        if reviews:
            out.append(errors.forbidden_field(f"{at}.conversionReviewVersions", why))
        return
    if client is None:
        out.append(errors.required(f"{at}.webhookClientConfig", "required when strategy is set to Webhook"))
    else:
        webhooks.client(client, f"{at}.webhookClientConfig", out)
    _reviews(reviews, f"{at}.conversionReviewVersions", out)


def _reviews(versions: list[str], at: str, out: Errors) -> None:
    if not versions:
        out.append(errors.required(at))
        return
    for n, version in enumerate(versions):
        if version in versions[:n]:
            out.append(errors.invalid(f"{at}[{n}]", version, "duplicate version"))
            continue
        for text in formats.dns_1035_label(version):
            out.append(errors.invalid(f"{at}[{n}]", version, text))
    if not {"v1", "v1beta1"} & set(versions):
        out.append(errors.invalid(at, versions, "must include at least one of v1, v1beta1"))
