"""Validation of kinds that stand alone: templates, revisions, certificates, API services, reviews.

In comes an object (and the old one); complaints are appended in the order of each kind's Validate
and ValidateUpdate functions upstream. Certificate requests are read no further than their PEM type.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, internal, meta, pods
from kctl.api.validation.meta import Errors, formatted

USAGES = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)
SHORTEST = 600
EXACTLY_ONE = "exactly one of nonResourceAttributes or resourceAttributes must be specified"


def pod_template(obj: Obj, out: Errors) -> None:
    """Check a PodTemplate."""
    pods.template(obj.get("template") or {}, "template", out)


def revision(obj: Obj, out: Errors) -> None:
    """Check a new ControllerRevision."""
    data = obj.get("data")
    _number(obj, out)
    if data is None:
        out.append(errors.required("data", "data is mandatory"))
    elif not isinstance(data, dict):
        out.append(errors.required("data", "data must be a valid JSON object"))


def _number(obj: Obj, out: Errors) -> None:
    if (obj.get("revision") or 0) < 0:
        out.append(errors.invalid("revision", obj["revision"], formats.NEGATIVE))


def revision_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed ControllerRevision: its data stays."""
    _number(new, out)
    if new.get("data") != old.get("data"):
        out.append(errors.invalid("data", new.get("data"), formats.IMMUTABLE))


def certificate(obj: Obj, out: Errors) -> None:
    """Check a CertificateSigningRequest."""
    spec = obj.get("spec") or {}
    if b"-----BEGIN CERTIFICATE REQUEST-----" not in b64decode(spec.get("request") or ""):
        text = "PEM block type must be CERTIFICATE REQUEST"
        out.append(errors.invalid("spec.request", spec.get("request"), text))
    usages = spec.get("usages") or []
    if not usages:
        out.append(errors.required("spec.usages"))
    for n, usage in enumerate(usages):
        if usage not in USAGES:
            out.append(errors.not_supported(f"spec.usages[{n}]", usage, USAGES))
    for n, usage in enumerate(usages):
        if usage in usages[:n]:
            out.append(errors.duplicate(f"spec.usages[{n}]", usage))
    signer_name(spec.get("signerName") or "", "spec.signerName", out)
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < SHORTEST:
        text = f"may not specify a duration less than {SHORTEST} seconds (10 minutes)"
        out.append(errors.invalid("spec.expirationSeconds", seconds, text))


def signer_name(name: str, at: str, out: Errors) -> None:
    """Check who signs: a domain and a path, as ValidateSignerName."""
    if not name:
        out.append(errors.required(at))
        return
    domain, slash, path = name.partition("/")
    if not slash or "/" in path:
        text = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        out.append(errors.invalid(at, name, text))
        return
    labels = domain.split(".")
    for label in labels:
        for text in formats.dns_label(label):
            out.append(errors.invalid(at, domain, f'validating label "{label}": {text}'))
    if len(labels) < 2:
        text = "should be a domain with at least two segments separated by dots"
        out.append(errors.invalid(at, domain, text))
    for label in path.split("."):
        for text in formats.dns_subdomain(label):
            out.append(errors.invalid(at, path, f'validating label "{label}": {text}'))


def api_service(obj: Obj, out: Errors) -> None:
    """Check an APIService."""
    spec = obj.get("spec") or {}
    group, version = spec.get("group") or "", spec.get("version") or ""
    if not group and version != "v1":
        text = "only v1 may have an empty group and it better be legacy kube"
        out.append(errors.required("spec.group", text))
    if group:
        formatted(formats.dns_subdomain, group, "spec.group", out)
    formatted(formats.dns_1035_label, version, "spec.version", out)
    for name, most in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        value = spec.get(name) or 0
        if not 0 < value <= most:
            out.append(errors.invalid(f"spec.{name}", value, f"must be positive and less than {most}"))
    service, bundle = spec.get("service"), spec.get("caBundle")
    if service is None:
        if bundle:
            shown = f"{len(b64decode(bundle))} bytes"
            out.append(errors.invalid("spec.caBundle", shown, "local APIServices may not have a caBundle"))
        if spec.get("insecureSkipTLSVerify"):
            text = "local APIServices may not have insecureSkipTLSVerify"
            out.append(errors.invalid("spec.insecureSkipTLSVerify", True, text))
        return
    for name in ("namespace", "name"):
        if not service.get(name):
            out.append(errors.required(f"spec.service.{name}"))
    if spec.get("insecureSkipTLSVerify") and bundle:
        text = "may not be true if caBundle is present"
        out.append(errors.invalid("spec.insecureSkipTLSVerify", True, text))


def api_service_name(obj: Obj) -> formats.Format:
    """Return how the name of this APIService is checked: version and group, as ValidateAPIService."""
    spec = obj.get("spec") or {}
    wanted = f"{spec.get('version') or ''}.{spec.get('group') or ''}"

    def check(name: str) -> list[str]:
        found = formats.path_segment(name)
        if found or name == wanted:
            return found
        return [f'must be `spec.version+"."+spec.group`: {errors.go_value(wanted)}']

    return check


def subject_review(obj: Obj, out: Errors) -> None:
    """Check a SubjectAccessReview: about whom, and what."""
    spec = obj.get("spec") or {}
    _attributes(spec, out)
    if not spec.get("user") and not spec.get("groups"):
        text = "at least one of user or group must be specified"
        out.append(errors.invalid("spec.user", spec.get("user") or "", text))
    _no_metadata(obj, out)


def local_review(obj: Obj, out: Errors) -> None:
    """Check a LocalSubjectAccessReview: of its own namespace."""
    spec, metadata = obj.get("spec") or {}, obj.get("metadata") or {}
    _attributes(spec, out)
    if not spec.get("user") and not spec.get("groups"):
        text = "at least one of user or group must be specified"
        out.append(errors.invalid("spec.user", spec.get("user") or "", text))
    given = {k: v for k, v in metadata.items() if k not in {"managedFields", "namespace"}}
    if given:
        out.append(errors.invalid("metadata", _shown(metadata), "must be empty except for namespace"))
    asked = spec.get("resourceAttributes")
    namespace = (asked or {}).get("namespace") or ""
    if asked is not None and namespace != (metadata.get("namespace") or ""):
        out.append(errors.invalid("spec.resourceAttributes.namespace", namespace, "must match metadata.namespace"))
    path = spec.get("nonResourceAttributes")
    if path is not None:
        text = "disallowed on this kind of request"
        out.append(errors.invalid("spec.nonResourceAttributes", _shown_path(path), text))


def self_review(obj: Obj, out: Errors) -> None:
    """Check a SelfSubjectAccessReview."""
    _attributes(obj.get("spec") or {}, out)
    _no_metadata(obj, out)


def _attributes(spec: Obj, out: Errors) -> None:
    """Check that a review asks about a resource or a path."""
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        text = "cannot be specified in combination with resourceAttributes"
        out.append(errors.invalid("spec.nonResourceAttributes", _shown_path(path), text))
    if resource is None and path is None:
        out.append(errors.invalid("spec.resourceAttributes", None, EXACTLY_ONE))
    for name, rule in (("fieldSelector", meta.field_requirement), ("labelSelector", meta.selector_requirement)):
        if resource is not None and resource.get(name) is not None:
            _narrowed(resource[name], rule, f"spec.resourceAttributes.{name}", out)


def _narrowed(value: Obj, rule: Callable[[Obj, str, Errors], None], at: str, out: Errors) -> None:
    """Check what narrows the resources a review asks for; operators nobody knows yet are taken."""
    rows, raw = value.get("requirements") or (), value.get("rawSelector") or ""
    if raw and rows:
        out.append(errors.invalid(f"{at}.rawSelector", raw, "may not specified at the same time as requirements"))
    if not raw and not rows:
        text = f"when {at} is specified, requirements or rawSelector is required"
        out.append(errors.required(f"{at}.requirements", text))
    found: Errors = []
    for n, row in enumerate(rows):
        rule(row, f"{at}.requirements[{n}]", found)
    out += [error for error in found if error.detail != meta.NO_OPERATOR]


def _shown_path(path: Obj) -> Obj:
    """Return NonResourceAttributes as the internal type is written."""
    return {"Path": path.get("path") or "", "Verb": path.get("verb") or ""}


def _no_metadata(obj: Obj, out: Errors) -> None:
    """Check that a review has no metadata but what the server adds."""
    given = {k: v for k, v in (obj.get("metadata") or {}).items() if k != "managedFields"}
    if given:
        out.append(errors.invalid("metadata", _shown(obj["metadata"]), "must be empty"))


def _shown(metadata: Obj) -> Obj:
    """Return metadata as Go writes it, with who manages it."""
    managed = metadata.get("managedFields")
    return {**internal.shown_meta(metadata), **({"managedFields": managed} if managed else {})}
