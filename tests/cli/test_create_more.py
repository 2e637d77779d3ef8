"""``create job, cronjob, role, …, token``: the objects kubectl makes from the same flags, and its refusals."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

RBAC = "rbac.authorization.k8s.io"
TEMPLATE = "{metadata: {}, spec: {containers: [{%simage: i, name: %s, resources: {}}], restartPolicy: %s}}"
MADE: list[tuple[str, str]] = [
    (
        "job j --image=i -- sh -c x",
        "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {template: "
        f"{TEMPLATE % ('command: [sh, -c, x], ', 'j', 'Never')}}}, status: {{}}}}",
    ),
    (
        "cronjob c -n ns --image=i --schedule=@hourly",
        "{apiVersion: batch/v1, kind: CronJob, metadata: {name: c, namespace: ns}, spec: {jobTemplate: {metadata: "
        f"{{name: c}}, spec: {{template: {TEMPLATE % ('', 'c', 'OnFailure')}}}}}, schedule: '@hourly'}}, status: {{}}}}",
    ),
    (
        "role r --verb=get,list --verb=get --resource=po,deploy --resource=pods/log --resource-name=a",
        f"{{apiVersion: {RBAC}/v1, kind: Role, metadata: {{name: r}}, rules: [{{apiGroups: [''], resourceNames: [a], "
        "resources: [pods, pods/log], verbs: [get, list]}, {apiGroups: [apps], resourceNames: [a], resources: "
        "[deployments], verbs: [get, list]}]}",
    ),
    (
        "role r --verb=get,* --resource=pods,*",
        f"{{apiVersion: {RBAC}/v1, kind: Role, metadata: {{name: r}}, rules: [{{apiGroups: [''], resources: ['*'], "
        "verbs: ['*']}]}",
    ),
    (
        "clusterrole r --verb=get --non-resource-url=/logs/*,/x",
        f"{{apiVersion: {RBAC}/v1, kind: ClusterRole, metadata: {{name: r}}, rules: [{{nonResourceURLs: [/logs/*, /x], "
        "verbs: [get]}]}",
    ),
    (
        "clusterrole r --aggregation-rule=a/b=true",
        f"{{aggregationRule: {{clusterRoleSelectors: [{{matchLabels: {{a/b: 'true'}}}}]}}, apiVersion: {RBAC}/v1, "
        "kind: ClusterRole, metadata: {name: r}, rules: null}",
    ),
    (
        "rolebinding b --role=r --user=u --group=g --serviceaccount=ns:sa",
        f"{{apiVersion: {RBAC}/v1, kind: RoleBinding, metadata: {{name: b}}, roleRef: {{apiGroup: {RBAC}, kind: Role, "
        f"name: r}}, subjects: [{{apiGroup: {RBAC}, kind: User, name: u}}, {{apiGroup: {RBAC}, kind: Group, name: g}}, "
        "{kind: ServiceAccount, name: sa, namespace: ns}]}",
    ),
    (
        "clusterrolebinding b --clusterrole=r",
        f"{{apiVersion: {RBAC}/v1, kind: ClusterRoleBinding, metadata: {{name: b}}, roleRef: {{apiGroup: {RBAC}, kind: "
        "ClusterRole, name: r}}",
    ),
    (
        "ingress i --class=c --default-backend=d:http --annotation=a=b=c --rule=/=s:80",
        "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {annotations: {a: b=c}, name: i}, spec: "
        "{defaultBackend: {service: {name: d, port: {name: http}}}, ingressClassName: c, rules: [{http: {paths: "
        "[{backend: {service: {name: s, port: {number: 80}}}, path: /, pathType: Exact}]}}]}, status: {loadBalancer: "
        "{}}}",
    ),
    (
        "ing i --rule=a.b/x*=s:80,tls=t --rule=c.d/y=s:80,tls=t --rule=a.b/=s:web,tls --rule=e.f/=s:1,tls",
        "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {rules: [{host: a.b, http: "
        "{paths: [{backend: {service: {name: s, port: {number: 80}}}, path: /x, pathType: Prefix}, {backend: {service: "
        "{name: s, port: {name: web}}}, path: /, pathType: Exact}]}}, {host: c.d, http: {paths: [{backend: {service: "
        "{name: s, port: {number: 80}}}, path: /y, pathType: Exact}]}}, {host: e.f, http: {paths: [{backend: {service: "
        "{name: s, port: {number: 1}}}, path: /, pathType: Exact}]}}], tls: [{hosts: [a.b, c.d], secretName: t}, "
        "{hosts: [e.f]}]}, status: {loadBalancer: {}}}",
    ),
    (
        "quota q --hard=cpu=1000m,pods=10 --scopes=BestEffort,Terminating",
        "{apiVersion: v1, kind: ResourceQuota, metadata: {name: q}, spec: {hard: {cpu: '1', pods: '10'}, scopes: "
        "[BestEffort, Terminating]}, status: {}}",
    ),
    (
        "pdb p --selector=app=x,tier=y --max-unavailable=1",
        "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: p}, spec: {maxUnavailable: 1, selector: "
        "{matchLabels: {app: x, tier: y}}}, status: {currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, "
        "expectedPods: 0}}",
    ),
    (
        "poddisruptionbudget p --selector=app --min-available=50%",
        "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: p}, spec: {minAvailable: 50%, selector: "
        "{matchExpressions: [{key: app, operator: Exists}]}}, status: {currentHealthy: 0, desiredHealthy: 0, "
        "disruptionsAllowed: 0, expectedPods: 0}}",
    ),
    (
        "priorityclass p --value=-5 --global-default=true --description=d --preemption-policy=Never",
        "{apiVersion: scheduling.k8s.io/v1, description: d, globalDefault: true, kind: PriorityClass, metadata: {name: "
        "p}, preemptionPolicy: Never, value: -5}",
    ),
    (
        "pc p --value=7 --global-default=false",
        "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: p}, preemptionPolicy: "
        "PreemptLowerPriority, value: 7}",
    ),
]


@pytest.mark.parametrize(("args", "wanted"), MADE)
def test_a_generator_makes_what_kubectl_makes(kctl: Any, args: str, wanted: str) -> None:
    head, dashes, command = args.partition(" -- ")
    tail = ["--", *command.split()] if dashes else []
    ran = kctl("create", *head.split(), "--dry-run=client", "-o", "yaml", *tail)
    assert yaml.safe_load(ran.out) == yaml.safe_load(wanted)
    as_json = kctl("create", *head.split(), "--dry-run=client", "-o", "json", *tail)
    assert as_json.json() == yaml.safe_load(wanted)
    assert not Path(".kctl").exists()


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ("job j", "either --image or --from must be specified"),
        ("job j --image=i --from=cj/x", "either --image or --from must be specified"),
        ("job j --from=cj/x -- x", "cannot specify --from and command"),
        ("role r --resource=pods", "at least one verb must be specified"),
        ("role r --verb=get", "at least one resource must be specified"),
        ("role r --verb=get --resource=/log", "resource must be specified if apiGroup/subresource specified"),
        ("role r --verb=get --resource=nope", 'the server doesn\'t have a resource type "nope"'),
        ("role r --verb=get --resource=nope.x.y", 'the server doesn\'t have a resource type "nope" in group "x.y"'),
        ("role r --verb=bind --resource=pods", "can not perform 'bind' on 'pods' in group ''"),
        ("clusterrole r", "at least one verb must be specified"),
        ("clusterrole r --verb=get", "one of resource or nonResourceURL must be specified"),
        ("clusterrole r --verb=list --non-resource-url=/x", "invalid verb: 'list' for nonResourceURL"),
        ("clusterrole r --verb=get --non-resource-url=x", "nonResourceURL should start with /"),
        (
            "clusterrole r --verb=get --non-resource-url=/*/x",
            "nonResourceURL only supports wildcard matches when '*' is at the end",
        ),
        (
            "clusterrole r --verb=get --aggregation-rule=a=b",
            "aggregation rule must be specified without nonResourceURLs, verbs, resources or resourceNames",
        ),
        ("rolebinding b", "exactly one of clusterrole or role must be specified"),
        ("rolebinding b --role=a --clusterrole=b", "exactly one of clusterrole or role must be specified"),
        ("rolebinding b --role=a --serviceaccount=x", "serviceaccount must be <namespace>:<name>"),
        (
            "ingress i",
            "not enough information provided: every ingress has to either specify a default-backend (which catches all "
            "traffic) or a list of rules (which catch specific paths)",
        ),
        (
            "ingress i --rule=x",
            "rule x is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]",
        ),
        ("ingress i --rule=/=s:1 --annotation=a", "annotation a is invalid and should be in format key=[value]"),
        ("ingress i --default-backend=x", "default-backend should be in format servicename:serviceport"),
        ("quota q --hard=cpu", "Invalid argument syntax cpu, expected <resource>=<value>"),
        ("quota q --scopes=A,", 'invalid resource quota scope ""'),
        ("pdb p", "a selector must be specified"),
        ("pdb p --selector=a=b", "one of min-available or max-unavailable must be specified"),
        (
            "pdb p --selector=a=b --min-available=1 --max-unavailable=1",
            "min-available and max-unavailable cannot be both specified",
        ),
        ("pdb p --selector=a=b --min-available=1Gi", "invalid format specified for min-available"),
        ("secret tls s", "key and cert must be specified"),
        ("secret tls s --cert=none --key=none", "Cannot read file none, open none: no such file or directory"),
        (
            "secret docker-registry s",
            "either --from-file or the combination of --docker-username, --docker-password and --docker-server is "
            "required",
        ),
        ("token t --duration=-1s", "--duration must be greater than or equal to 0"),
        ("token t --duration=1500ms", "--duration cannot be expressed in units less than seconds"),
        ("token t --audience=", "--audience must not be an empty string"),
        ("token t --bound-object-name=x", "--bound-object-name can only be set if --bound-object-kind is provided"),
        ("token t --bound-object-uid=x", "--bound-object-uid can only be set if --bound-object-kind is provided"),
        ("token t --bound-object-kind=X", "supported --bound-object-kind values are Node, Pod, Secret"),
        ("token t --bound-object-kind=Pod", "--bound-object-name is required if --bound-object-kind is provided"),
    ],
)
def test_flags_that_make_nothing_are_refused_in_kubectls_words(kctl: Any, args: str, text: str) -> None:
    dry = [] if args.startswith("token") else ["--dry-run=client"]
    name, _, command = args.partition(" -- ")
    ran = kctl("create", *name.split(), *dry, *(["--", command] if command else []), code=1)
    assert (ran.err, ran.out) == (f"error: {text}\n", "")


def test_an_unusual_verb_is_only_remarked(kctl: Any) -> None:
    ran = kctl("create", "role", "r", "--verb=fetch", "--resource=pods", "--dry-run=client")
    assert ran.err == "Warning: 'fetch' is not a standard resource verb\n"
    assert ran.out == "role.rbac.authorization.k8s.io/r created (dry run)\n"


def test_a_docker_configuration_is_dockers(kctl: Any) -> None:
    flags = "--docker-username=u --docker-password=p --docker-email=m --docker-server=https://r.example"
    ran = kctl(
        "create", "secret", "docker-registry", "d", *flags.split(), "--dry-run=client", "-o", "json", "--show-secrets"
    )
    made = ran.json()
    assert made["type"] == "kubernetes.io/dockerconfigjson"
    entry = {"username": "u", "password": "p", "email": "m", "auth": base64.b64encode(b"u:p").decode()}
    content = json.dumps({"auths": {"https://r.example": entry}}, separators=(",", ":"))
    assert base64.b64decode(made["data"][".dockerconfigjson"]).decode() == content


def pair(name: str) -> tuple[str, str]:
    """Write a certificate and its key; return their paths."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    built = x509.CertificateBuilder(subject, subject, key.public_key(), 1, start, start + dt.timedelta(days=9))
    Path(f"{name}.crt").write_bytes(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    Path(f"{name}.key").write_bytes(key.private_bytes(*form))
    return f"{name}.crt", f"{name}.key"


def test_a_certificate_goes_with_its_key_alone(kctl: Any) -> None:
    (cert, key), (_, other) = pair("a"), pair("b")

    def tls(cert: str, key: str, code: int = 0) -> Any:
        flags = ("--dry-run=client", "-o", "json", "--show-secrets")
        return kctl("create", "secret", "tls", "s", f"--cert={cert}", f"--key={key}", *flags, code=code)

    made = tls(cert, key).json()
    assert made["type"] == "kubernetes.io/tls"
    assert base64.b64decode(made["data"]["tls.crt"]) == Path(cert).read_bytes()
    assert tls(cert, other, 1).err == "error: tls: private key does not match public key\n"
    assert "did find a private key; PEM inputs may have been switched" in tls(key, cert, 1).err
    assert "found a certificate rather than a key in the PEM for the private key" in tls(cert, cert, 1).err
    Path("text").write_text("x", encoding="utf-8")
    assert tls("text", key, 1).err == "error: tls: failed to find any PEM data in certificate input\n"


def test_a_job_from_a_cronjob_is_owned_by_it_and_runs(kctl: Any) -> None:
    kctl("init")
    kctl("create", "cronjob", "nightly", "--image=i", "--schedule=0 3 * * *")
    assert kctl("create", "job", "now", "--from=cronjob/nightly").out == "job.batch/now created\n"
    job, cron_job = kctl.get("job", "now"), kctl.get("cronjob", "nightly")
    assert job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("CronJob", cron_job["metadata"]["uid"])
    again = kctl("create", "job", "now", "--from=cronjob/nightly", code=1)
    assert again.err == 'error: failed to create job: jobs.batch "now" already exists\n'
    gone = kctl("create", "job", "x", "--from=cronjob/none", code=1)
    assert gone.err == 'Error from server (NotFound): cronjobs.batch "none" not found\n'
    other = kctl("create", "job", "x", "--from=ns/default", code=1)
    assert other.err == "error: unknown object type *v1.Namespace\n"


def test_a_role_that_is_there_is_refused_as_the_server_says_it(kctl: Any) -> None:
    kctl("init")
    make = ("create", "role", "r", "--verb=get", "--resource=pods")
    assert kctl(*make).out == "role.rbac.authorization.k8s.io/r created\n"
    assert kctl(*make, code=1).err == (
        'Error from server (AlreadyExists): roles.rbac.authorization.k8s.io "r" already exists\n'
    )
    assert kctl("create", "clusterrole", "c", "--verb=get", "--resource=pods", "--dry-run=server").out == (
        "clusterrole.rbac.authorization.k8s.io/c created (server dry run)\n"
    )
    assert "NotFound" in kctl("get", "clusterrole", "c", code=1).err


def test_a_token_is_printed_alone_or_in_its_request(kctl: Any) -> None:
    kctl("init")
    text = kctl("create", "token", "default").out
    assert text.count(".") == 2
    assert "\n" not in text
    asked = kctl("create", "token", "default", "--duration=10m", "--audience=a", "-o", "json").json()
    assert (asked["kind"], asked["spec"]["expirationSeconds"], asked["spec"]["audiences"]) == (
        "TokenRequest",
        600,
        ["a"],
    )
    assert asked["status"]["token"].count(".") == 2
    short = kctl("create", "token", "default", "--duration=1m", code=1)
    assert "may not specify a duration less than 10 minutes" in short.err
    none = kctl("create", "token", "none", code=1)
    assert none.err == 'error: failed to create token: serviceaccounts "none" not found\n'
    assert text == kctl("create", "token", "default").out  # the virtual clock stands still
