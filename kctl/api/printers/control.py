"""Rows of what governs requests: bindings of roles, admission, certificates, flow control, aggregation."""

from __future__ import annotations

from kctl.api import durations
from kctl.api.objects import Obj, condition, dig
from kctl.api.printers import AGE, NAME, Cell, Column, Printer, age, columns, name, row, spec_of

SIGNER = """Requested signer for the request. It is a qualified name in the form: `scope-hostname.io/name`. \
If empty, it will be defaulted:
 1. If it's a kubelet client certificate, it is assigned
    "kubernetes.io/kube-apiserver-client-kubelet".
 2. If it's a kubelet serving certificate, it is assigned
    "kubernetes.io/kubelet-serving".
 3. Otherwise, it is assigned "kubernetes.io/legacy-unknown".
Distribution of trust for signers happens out of band. You can select on this field using `spec.signerName`."""
"""What the column says, from the v1beta1 the printer still reads."""


def _binding(obj: Obj) -> list[Cell]:
    ref = obj.get("roleRef") or {}
    return [f"{ref.get('kind', '')}/{ref.get('name', '')}"]


def _subjects(obj: Obj) -> list[Cell]:
    """Return users, groups and service accounts, as SubjectsStrings."""
    subjects = obj.get("subjects") or ()
    accounts = [f"{s.get('namespace', '')}/{s['name']}" for s in subjects if s.get("kind") == "ServiceAccount"]
    users, groups = ([s["name"] for s in subjects if s.get("kind") == kind] for kind in ("User", "Group"))
    return [", ".join(users), ", ".join(groups), ", ".join(accounts)]


def _binding_columns(kind: str, role: str) -> tuple[Column, ...]:
    return columns(
        NAME,
        f"Role | {role} If the RoleRef cannot be resolved, the Authorizer must return an error.",
        AGE,
        f"Users/1 | Users in the {kind}",
        f"Groups/1 | Groups in the {kind}",
        f"ServiceAccounts/1 | ServiceAccounts in the {kind}",
    )


def _signing_request(obj: Obj, now: float) -> list[Cell]:
    spec = spec_of(obj)
    seconds = spec.get("expirationSeconds")
    return [
        name(obj),
        age(obj, now),
        spec.get("signerName") or "<none>",
        spec.get("username", ""),
        "<none>" if seconds is None else durations.age(seconds),
        _signing_status(obj),
    ]


def _signing_status(obj: Obj) -> str:
    """Return the status of a CertificateSigningRequest, as extractCSRStatus."""
    decided = next((type_ for type_ in ("Denied", "Approved") if condition(obj, type_)), "Pending")
    failed = ",Failed" if condition(obj, "Failed") else ""
    return decided + failed + (",Issued" if dig(obj, "status", "certificate") else "")


def _apiservice(obj: Obj) -> list[Cell]:
    service = spec_of(obj).get("service")
    found = condition(obj, "Available")
    status = "Unknown" if found is None else str(found.get("status", ""))
    if found and status != "True" and found.get("reason"):
        status += f" ({found['reason']})"
    return [f"{service.get('namespace', '')}/{service.get('name', '')}" if service else "Local", status]


def _policy(rules: str) -> Printer:
    """Return the printer of an admission policy, whose rules are in the field ``rules``."""

    def between(obj: Obj) -> list[Cell]:
        spec = spec_of(obj)
        kind = spec.get("paramKind")
        text = f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else "<unset>"
        return [len(spec.get(rules) or ()), text]

    return Printer(
        columns(
            NAME,
            RULES[rules],
            "ParamKind | ParamKind specifies the kind of resources used to parameterize this policy",
            AGE,
        ),
        row(between),
    )


RULES = {
    "validations": "Validations:integer"
    " | Validations indicates the number of validation rules defined in this configuration",
    "mutations": "Mutations:integer | Mutation indicates the number of mutations rules defined in this configuration",
}


def _policy_binding(obj: Obj) -> list[Cell]:
    spec = spec_of(obj)
    ref, text = spec.get("paramRef") or {}, "<unset>"
    if ref.get("name"):
        # whether parameters are namespaced cannot be told from here
        text = f"{ref.get('namespace') or '*'}/{ref['name']}"
    elif ref.get("selector") is not None:
        text = _go_selector(ref["selector"])
    return [spec.get("policyName", ""), text]


def _go_selector(selector: Obj) -> str:
    """Write a LabelSelector as its Go type's String."""
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{one['key']},Operator:{one['operator']},"
        f"Values:[{' '.join(one.get('values') or ())}],}},"
        for one in selector.get("matchExpressions") or ()
    )
    matches = f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}}"
    return f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},{matches},}}"


def _flow_schema(obj: Obj, now: float) -> list[Cell]:
    spec = spec_of(obj)
    dangling = condition(obj, "Dangling")
    return [
        name(obj),
        dig(spec, "priorityLevelConfiguration", "name", default=""),
        spec.get("matchingPrecedence", 0),
        dig(spec, "distinguisherMethod", "type", default="<none>"),
        age(obj, now),
        str(dangling.get("status", "")) if dangling else "?",
    ]


def _flow_order(obj: Obj) -> tuple[int, str]:
    """Order flow schemas as they are tried: FlowSchemaSequence."""
    return spec_of(obj).get("matchingPrecedence", 0), name(obj)


def _priority_level(obj: Obj) -> list[Cell]:
    spec = spec_of(obj)
    limited, queuing = spec.get("limited"), dig(spec, "limited", "limitResponse", "queuing")
    shares = limited.get("nominalConcurrencyShares", 0) if limited else "<none>"
    fields = ("queues", "handSize", "queueLengthLimit")
    return [spec.get("type", ""), shares, *(queuing.get(f, 0) if queuing else "<none>" for f in fields)]


WEBHOOKS = Printer(
    columns(NAME, "Webhooks:integer | Webhooks indicates the number of webhooks registered in this configuration", AGE),
    row(lambda obj: [len(obj.get("webhooks") or ())]),
)
POLICY_BINDINGS = Printer(
    columns(
        NAME,
        "PolicyName | PolicyName indicates the policy definition which the policy binding binded to",
        "ParamRef | ParamRef indicates the param resource which sets the configuration param",
        AGE,
    ),
    row(_policy_binding),
)

PRINTERS = {
    "rolebindings.rbac.authorization.k8s.io": Printer(
        _binding_columns(
            "roleBinding",
            "RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace.",
        ),
        row(_binding, _subjects),
    ),
    "clusterrolebindings.rbac.authorization.k8s.io": Printer(
        _binding_columns("clusterRoleBinding", "RoleRef can only reference a ClusterRole in the global namespace."),
        row(_binding, _subjects),
    ),
    "certificatesigningrequests.certificates.k8s.io": Printer(
        columns(
            NAME,
            AGE,
            f"SignerName | {SIGNER}",
            "Requestor | Base64-encoded PKCS#10 CSR data",
            "RequestedDuration | @certificates.v1.CertificateSigningRequestSpec.expirationSeconds",
            "Condition | Conditions applied to the request, such as approval or denial.",
        ),
        _signing_request,
    ),
    "apiservices.apiregistration.k8s.io": Printer(
        columns(
            NAME,
            "Service | The reference to the service that hosts this API endpoint.",
            "Available | Whether this service is available.",
            AGE,
        ),
        row(_apiservice),
    ),
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": WEBHOOKS,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": WEBHOOKS,
    "validatingadmissionpolicies.admissionregistration.k8s.io": _policy("validations"),
    "mutatingadmissionpolicies.admissionregistration.k8s.io": _policy("mutations"),
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": POLICY_BINDINGS,
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": POLICY_BINDINGS,
    "flowschemas.flowcontrol.apiserver.k8s.io": Printer(
        columns(
            NAME,
            "PriorityLevel | @flowcontrol.v1.PriorityLevelConfigurationReference.name",
            "MatchingPrecedence | @flowcontrol.v1.FlowSchemaSpec.matchingPrecedence",
            "DistinguisherMethod | @flowcontrol.v1.FlowSchemaSpec.distinguisherMethod",
            AGE,
            "MissingPL | references a broken or non-existent PriorityLevelConfiguration",
        ),
        _flow_schema,
        order=_flow_order,
    ),
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": Printer(
        columns(
            NAME,
            "Type | @flowcontrol.v1.PriorityLevelConfigurationSpec.type",
            "NominalConcurrencyShares | @flowcontrol.v1.LimitedPriorityLevelConfiguration.nominalConcurrencyShares",
            "Queues | @flowcontrol.v1.QueuingConfiguration.queues",
            "HandSize | @flowcontrol.v1.QueuingConfiguration.handSize",
            "QueueLengthLimit | @flowcontrol.v1.QueuingConfiguration.queueLengthLimit",
            AGE,
        ),
        row(_priority_level),
    ),
}
