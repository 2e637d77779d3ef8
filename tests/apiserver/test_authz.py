"""Who may do what: roles, bindings, nodes, impersonation, tokens, and what a refusal says."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver import authn, authz
from kctl.apiserver.paths import parse
from kctl.apiserver.request import User, component
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore

GROUP = "rbac.authorization.k8s.io"
API = f"{GROUP}/v1"
JANE = User("jane", "u1", ("devs", "system:authenticated"))


@pytest.fixture
def server(clock: FixedClock) -> APIServer:
    return APIServer(MemoryStore(), clock=clock, frozen=True, authorization=("Node", "RBAC"))


def rule(verbs: str, resources: str, group: str = "", *names: str) -> Obj:
    made: Obj = {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}
    return {**made, "resourceNames": list(names)} if names else made


def role(client: LocalClient, name: str, *rules: Obj, cluster: bool = False, **labels: str) -> None:
    meta: Obj = {"name": name, **({"labels": labels} if labels else {})}
    if not cluster:
        meta["namespace"] = "default"
    kind = "ClusterRole" if cluster else "Role"
    client.create(f"{kind.lower()}s.{GROUP}", {"apiVersion": API, "kind": kind, "metadata": meta, "rules": list(rules)})


def bind(client: LocalClient, reference: str, user: str = "jane", *, cluster: bool = False, name: str = "") -> None:
    kind, _, target = reference.partition("/")
    meta: Obj = {"name": name or f"{target.replace(':', '-')}-{user}"}
    if not cluster:
        meta["namespace"] = "default"
    binding = "ClusterRoleBinding" if cluster else "RoleBinding"
    body = {
        "apiVersion": API,
        "kind": binding,
        "metadata": meta,
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": target},
        "subjects": [{"kind": "User", "apiGroup": GROUP, "name": user}],
    }
    client.create(f"{binding.lower()}s.{GROUP}", body)


def send(server: APIServer, method: str, path: str, body: Any = None, user: Any = JANE, **more: Any) -> tuple[int, Any]:
    answer = server.http(
        method, path, None if body is None else json.dumps(body), "application/json", user=user, **more
    )
    return answer.status, answer.json() if answer.body[:1] == b"{" else answer.body


def config_map(name: str = "c") -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        (
            "GET",
            "/api/v1/pods",
            'pods is forbidden: User "jane" cannot list resource "pods" in API group "" at the cluster scope',
        ),
        (
            "GET",
            "/apis/apps/v1/namespaces/default/deployments/d/scale",
            'deployments.apps "d" is forbidden: User "jane" cannot get resource "deployments/scale" in API group "apps" in the namespace "default"',
        ),
        (
            "DELETE",
            "/apis/nobody.io/v1/foos?watch=1",
            'foos.nobody.io is forbidden: User "jane" cannot deletecollection resource "foos" in API group "nobody.io" at the cluster scope',
        ),
        ("GET", "/nothing", 'forbidden: User "jane" cannot get path "/nothing"'),
        (
            "GET",
            "/api/v1/namespaces/x",
            'namespaces "x" is forbidden: User "jane" cannot get resource "namespaces" in API group "" in the namespace "x"',
        ),
    ],
)
def test_a_refusal_says_what_was_asked(server: APIServer, method: str, path: str, said: str) -> None:
    status, body = send(server, method, path)
    assert (status, body["reason"], body["message"]) == (403, "Forbidden", said)


@pytest.mark.parametrize(
    ("method", "url", "asked"),
    [
        ("GET", "/api/v1/pods", ("list", "", "pods", "", "", "")),
        ("GET", "/api/v1/pods?watch=true", ("watch", "", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces/n/pods/p?watch=true", ("get", "", "pods", "", "n", "p")),
        ("GET", "/api/v1/watch/namespaces/n/pods", ("watch", "", "pods", "", "n", "")),
        ("GET", "/api/v1/namespaces/n/pods?fieldSelector=metadata.name%3Dp", ("list", "", "pods", "", "n", "p")),
        ("POST", "/api/v1/namespaces/n/pods/p/exec", ("create", "", "pods", "exec", "n", "p")),
        ("PUT", "/api/v1/namespaces/n/finalize", ("update", "", "namespaces", "finalize", "n", "n")),
        ("DELETE", "/apis/apps/v1/namespaces/n/deployments", ("deletecollection", "apps", "deployments", "", "n", "")),
        ("HEAD", "/api/v1/namespaces/n/pods/p", ("get", "", "pods", "", "n", "p")),
    ],
)
def test_a_url_is_read_as_what_it_asks(method: str, url: str, asked: tuple[str, ...]) -> None:
    found = authz.of_route(method, parse(url), JANE)
    assert (found.verb, found.group, found.resource, found.subresource, found.namespace, found.name) == asked


def test_a_change_of_a_role_counts_at_once(server: APIServer) -> None:
    admin, jane = LocalClient(server), LocalClient(server, user="jane")
    admin.create("configmaps", config_map())
    with pytest.raises(StatusError, match="cannot get"):
        jane.get("configmaps", "default", "c")
    role(admin, "r", rule("get", "configmaps"))
    bind(admin, "Role/r")
    assert jane.get("configmaps", "default", "c")
    admin.patch(f"roles.{GROUP}", Key("default", "r"), {"rules": [rule("list", "configmaps")]})
    with pytest.raises(StatusError, match="cannot get"):
        jane.get("configmaps", "default", "c")
    assert jane.list("configmaps", "default").items
    with server.fork():
        admin.delete(f"rolebindings.{GROUP}", Key("default", "r-jane"))
        with pytest.raises(StatusError, match="cannot list"):
            jane.list("configmaps", "default")
    assert jane.list("configmaps", "default").items


def test_every_door_is_guarded(server: APIServer) -> None:
    jane = LocalClient(server, user="jane")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}, "spec": {}}
    doors = [
        lambda: jane.get("pods", "default", "p"),
        lambda: jane.list("pods"),
        lambda: jane.watch("pods", revision=1),
        lambda: jane.create("pods", pod),
        lambda: jane.create_many("pods", pod, [pod["metadata"]]),
        lambda: jane.update("pods", pod),
        lambda: jane.update("pods", pod, subresource="status"),
        lambda: jane.patch("pods", Key("default", "p"), {}),
        lambda: jane.apply("pods", pod, field_manager="m"),
        lambda: jane.delete("pods", Key("default", "p")),
        lambda: jane.bind(Key("default", "p"), "u", "n"),
        lambda: jane.bind_many([(Key("default", "p"), "u", "n")]),
        lambda: jane.evict(Key("default", "p")),
    ]
    for door in doors:
        with pytest.raises(StatusError) as refused:
            door()
        assert refused.value.code == 403


def test_an_apply_that_creates_needs_the_verb_create(server: APIServer) -> None:
    admin, jane = LocalClient(server), LocalClient(server, user="jane")
    role(admin, "r", rule("patch", "configmaps"))
    bind(admin, "Role/r")
    with pytest.raises(StatusError, match='configmaps "c" is forbidden: User "jane" cannot create'):
        jane.apply("configmaps", config_map(), field_manager="m")
    admin.create("configmaps", config_map())
    assert jane.apply("configmaps", config_map(), field_manager="m")


def test_nobody_grants_what_he_does_not_hold(server: APIServer) -> None:
    admin = LocalClient(server)
    role(admin, "r", rule("create update", "roles rolebindings", GROUP), rule("get", "pods"))
    bind(admin, "Role/r")
    jane = LocalClient(server, user="jane")
    role(jane, "same", rule("get", "pods"))
    bind(jane, "Role/same", "eve")
    with pytest.raises(StatusError) as refused:
        role(jane, "more", rule("get list", "pods"))
    assert refused.value.message == (
        f'roles.{GROUP} "more" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant '
        'RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["list"]}'
    )
    with pytest.raises(StatusError, match="attempting to grant"):
        bind(jane, "ClusterRole/view", "eve")
    with pytest.raises(StatusError, match=f'rolebindings.{GROUP} "gone" not found'):
        bind(jane, "Role/gone", "eve")
    role(admin, "binder", rule("bind", "clusterroles", GROUP, "view"), cluster=True)
    bind(admin, "ClusterRole/binder", cluster=True)
    bind(jane, "ClusterRole/view", "eve")
    role(admin, "escalator", rule("escalate", "roles", GROUP))
    bind(admin, "Role/escalator")
    role(jane, "more", rule("get list", "pods"))


def test_only_admins_gather_rules(server: APIServer) -> None:
    admin, jane = LocalClient(server), LocalClient(server, user="jane")
    role(admin, "r", rule("create", "clusterroles", GROUP), cluster=True)
    bind(admin, "ClusterRole/r", cluster=True)
    gathering = {
        "apiVersion": API,
        "kind": "ClusterRole",
        "metadata": {"name": "g"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
    }
    with pytest.raises(StatusError, match="must have cluster-admin privileges to use the aggregationRule"):
        jane.create(f"clusterroles.{GROUP}", gathering)
    admin.create(f"clusterroles.{GROUP}", gathering)
    role(admin, "part", rule("get", "widgets", "x.io"), cluster=True, a="b")
    assert admin.get(f"clusterroles.{GROUP}", "", "g")["rules"] == [rule("get", "widgets", "x.io")]
    admin.delete(f"clusterroles.{GROUP}", Key("", "part"))
    assert not admin.get(f"clusterroles.{GROUP}", "", "g").get("rules")


def test_what_every_cluster_has_is_there_without_being_written(clock: FixedClock) -> None:
    store = MemoryStore()
    server = APIServer(store, clock=clock, authorization=("RBAC",))
    admin = LocalClient(server)
    before = server.revision
    assert admin.get(f"clusterroles.{GROUP}", "", "view")["rules"]
    assert server.revision == before
    admin.patch(f"clusterroles.{GROUP}", Key("", "system:node"), {"metadata": {"labels": {"a": "b"}}})
    admin.delete(f"clusterroles.{GROUP}", Key("", "system:heapster"))
    server.commit()
    again = LocalClient(APIServer(store, clock=clock, authorization=("RBAC",)))
    assert again.get(f"clusterroles.{GROUP}", "", "system:node")["metadata"]["labels"]["a"] == "b"
    assert again.get(f"clusterroles.{GROUP}", "", "system:heapster")  # as after a start of the real server
    assert not LocalClient(APIServer(MemoryStore(), clock=clock)).list(f"clusterroles.{GROUP}").items


NODE_CASES = [
    ("get", "", "nodes", "", "", "n1", ""),
    ("get", "", "nodes", "", "", "n2", "node 'n1' cannot read 'n2', only its own Node object"),
    ("list", "", "nodes", "", "", "", "node 'n1' cannot read all nodes, only its own Node object"),
    ("update", "", "pods", "status", "default", "mine", ""),
    ("get", "", "pods", "", "default", "mine", ""),
    ("get", "", "pods", "", "default", "other", "no relationship found between node 'n1' and this object"),
    ("list", "", "pods", "", "", "", "can only list/watch pods with spec.nodeName field selector"),
    ("get", "", "secrets", "", "default", "s", ""),
    ("get", "", "secrets", "", "default", "t", "no relationship found between node 'n1' and this object"),
    ("create", "", "secrets", "", "default", "", "can only read resources of this type"),
    ("get", "", "configmaps", "", "default", "c", ""),
    ("get", "", "persistentvolumeclaims", "", "default", "d", ""),
    ("create", "", "serviceaccounts", "token", "default", "default", ""),
    ("get", "coordination.k8s.io", "leases", "", "kube-node-lease", "n1", ""),
    (
        "get",
        "coordination.k8s.io",
        "leases",
        "",
        "kube-system",
        "n1",
        'can only access leases in the "kube-node-lease" system namespace',
    ),
    ("delete", "", "services", "", "default", "s", ""),
]


@pytest.mark.parametrize("case", NODE_CASES, ids=lambda case: " ".join(case[:6]))
def test_a_node_sees_what_its_pods_need(server: APIServer, case: tuple[str, ...]) -> None:
    admin = LocalClient(server)
    admin.create(
        "serviceaccounts",
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}},
    )
    container = {"name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": "c"}}]}
    volumes = [{"name": "s", "secret": {"secretName": "s"}}, {"name": "d", "persistentVolumeClaim": {"claimName": "d"}}]
    for name, node, more in (("mine", "n1", {"volumes": volumes}), ("other", "n2", {})):
        spec = {"containers": [container] if more else [{"name": "c", "image": "i"}], "nodeName": node, **more}
        admin.create(
            "pods",
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec},
        )
    *asked, reason = case
    verb, group, resource, sub, namespace, name = asked
    found = server.authorizer.decide(
        authz.Attributes(component("system:node:n1"), verb, group, resource, sub, namespace, name)
    )
    refused = bool(reason) or (verb, resource) == ("delete", "services")
    assert (found.is_allowed, found.reason if refused else "") == (not refused, reason)


def test_acting_as_somebody_needs_to_be_allowed(server: APIServer) -> None:
    admin = LocalClient(server)
    role(admin, "imp", rule("impersonate", "users", "", "eve"), cluster=True)
    bind(admin, "ClusterRole/imp", cluster=True)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    status, body = send(server, "POST", path, review, headers=[("Impersonate-User", "eve")])
    assert (status, body["status"]["userInfo"]) == (201, {"username": "eve", "groups": ["system:authenticated"]})
    status, body = send(server, "POST", path, review, headers=[("Impersonate-User", "bob")])
    assert (status, body["message"]) == (
        403,
        'users "bob" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope',
    )
    assert send(server, "POST", path, review, headers=[("Impersonate-Group", "g")])[0] == 500
    status, body = send(server, "POST", path, review, user=None, headers=[("impersonate-user", "system:anonymous")])
    assert status == 403


def test_tokens_of_every_kind_are_known(server: APIServer, clock: FixedClock) -> None:
    def encoded(**data: str) -> Obj:
        return {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in data.items()}

    data = encoded(
        token_id="abcdef",
        token_secret="0123456789abcdef",
        usage_bootstrap_authentication="true",
        auth_extra_groups="system:bootstrappers:kubeadm",
        expiration="2026-01-02T00:00:00Z",
    )
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": "bootstrap-token-abcdef", "namespace": "kube-system"},
        "data": data,
    }
    LocalClient(server).create("secrets", secret)
    server.static_tokens = {"t": JANE}
    found = authn.by_token(server, "abcdef.0123456789abcdef")
    assert found is not None
    assert found.user.name == "system:bootstrap:abcdef"
    assert found.user.groups == ("system:bootstrappers", "system:bootstrappers:kubeadm", "system:authenticated")
    assert authn.by_token(server, "abcdef.0123456789abcdee") is None
    assert authn.who(server, "", "Bearer t") == JANE
    assert authn.who(server, "").name == "system:anonymous"
    assert authn.of_certificate("me", ["system:masters"]).groups == ("system:masters", "system:authenticated")
    with pytest.raises(StatusError, match="Unauthorized"):
        authn.who(server, "", "Bearer wrong")
    clock.set(clock.now() + 2 * 86400)
    assert authn.by_token(server, "abcdef.0123456789abcdef") is None


@pytest.mark.parametrize("text", ["", "RBAC,", "Webhook", "rbac"])
def test_a_mode_there_is_not(text: str) -> None:
    with pytest.raises(ValueError, match="no such authorization mode"):
        authz.modes(text)
