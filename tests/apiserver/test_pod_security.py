"""PodSecurity: policies from labels, checks by level and version, refusals and warnings."""

from __future__ import annotations

import pytest

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver.admission.pod_security_checks import CHECKS, evaluate
from kctl.apiserver.admission.pod_security_policy import LATEST, Standard, parse, version_number
from kctl.apiserver.http import HTTPResponse
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient

PREFIX = "pod-security.kubernetes.io/"
FINE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
PODS = "/api/v1/namespaces/default/pods"


def container(name: str = "c", **security: object) -> Obj:
    return {"name": name, "image": "i", **({"securityContext": security} if security else {})}


def spec(*containers: Obj, **fields: object) -> Obj:
    return {"containers": list(containers) or [container()], **fields}


def reasons(level: str, body: Obj, version: int = LATEST, **annotations: str) -> list[str]:
    return [reason for reason, _ in evaluate(Standard(level, version), {"annotations": annotations}, body)]


def details(level: str, body: Obj, version: int = LATEST, **annotations: str) -> list[str]:
    return [detail for _, detail in evaluate(Standard(level, version), {"annotations": annotations}, body)]


def label(client: LocalClient, **labels: str) -> Obj:
    given = {PREFIX + name.replace("_", "-"): value for name, value in labels.items()}
    return client.patch("namespaces", Key("", "default"), {"metadata": {"labels": given}})


def send(server: APIServer, body: Obj, path: str = PODS, method: str = "POST") -> HTTPResponse:
    return server.http(method, path, body, "application/merge-patch+json" if method == "PATCH" else "application/json")


def warnings(answer: HTTPResponse) -> list[str]:
    return [value for name, value in answer.headers if name == "Warning"]


def pod(body: Obj, name: str = "p", **meta: object) -> Obj:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **meta}, "spec": body}


class TestPolicy:
    def test_without_labels_everything_is_allowed(self) -> None:
        assert parse({}) == parse({"a": "b"}) == (Standard(), Standard(), Standard(), ())
        assert str(Standard()) == "privileged:latest"

    def test_what_is_enforced_is_warned_about_too(self) -> None:
        policy = parse({f"{PREFIX}enforce": "baseline", f"{PREFIX}enforce-version": "v1.25"})
        assert (str(policy.enforce), str(policy.warn), str(policy.audit)) == (
            "baseline:v1.25",
            "baseline:v1.25",
            "privileged:latest",
        )

    def test_a_warn_label_is_not_overridden(self) -> None:
        policy = parse({f"{PREFIX}enforce": "baseline", f"{PREFIX}warn": "privileged"})
        assert policy.warn.level == "privileged"
        policy = parse({f"{PREFIX}enforce": "baseline", f"{PREFIX}warn-version": "v1.1"})
        assert str(policy.warn) == "baseline:v1.1"

    def test_labels_that_are_wrong_fall_back_to_the_safe_side_of_their_mode(self) -> None:
        policy = parse(dict.fromkeys((f"{PREFIX}enforce", f"{PREFIX}audit", f"{PREFIX}warn"), "x"))
        assert (policy.enforce.level, policy.audit.level, policy.warn.level) == (
            "restricted",
            "privileged",
            "privileged",
        )
        assert [error.field for error in policy.errors] == [
            f"metadata.labels[{PREFIX}{mode}]" for mode in ("enforce", "audit", "warn")
        ]

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("latest", LATEST),
            ("v1.0", 0),
            ("v1.36", 36),
            ("v1.10000", 10000),
            ("", None),
            ("v1.", None),
            ("v1.01", None),
            ("v2.0", None),
            ("1.25", None),
            ("v1.-1", None),
            ("v1.٣", None),
        ],
    )
    def test_versions(self, text: str, number: int | None) -> None:
        assert version_number(text) == number


class TestChecks:
    def test_a_plain_pod_is_baseline_and_not_restricted(self) -> None:
        assert reasons("baseline", spec()) == []
        assert reasons("restricted", spec()) == [
            "allowPrivilegeEscalation != false",
            "unrestricted capabilities",
            "runAsNonRoot != true",
            "seccompProfile",
        ]
        assert reasons("restricted", spec(container(**FINE))) == []

    @pytest.mark.parametrize(
        ("body", "reason", "detail"),
        [
            (spec(hostNetwork=True, hostIPC=True), "host namespaces", "hostNetwork=true, hostIPC=true"),
            (
                spec(container("a", privileged=True), container("b", privileged=True)),
                "privileged",
                'containers "a", "b" must not set securityContext.privileged=true',
            ),
            (
                spec({**container(), "ports": [{"hostPort": 90}, {"hostPort": 100}]}),
                "hostPort",
                'container "c" uses hostPorts 100, 90',
            ),
            (
                spec(volumes=[{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "hostPath": {"path": "/"}}]),
                "hostPath volumes",
                'volumes "a", "b"',
            ),
            (
                spec(container(capabilities={"add": ["NET_RAW", "CHOWN"]})),
                "non-default capabilities",
                'container "c" must not include "NET_RAW" in securityContext.capabilities.add',
            ),
            (
                spec(container(procMount="Unmasked")),
                "procMount",
                'container "c" must not set securityContext.procMount to "Unmasked"',
            ),
            (
                spec(
                    container(seccompProfile={"type": "Unconfined"}),
                    securityContext={"seccompProfile": {"type": "Unconfined"}},
                ),
                "seccompProfile",
                'pod and container "c" must not set securityContext.seccompProfile.type to "Unconfined"',
            ),
            (
                spec(container(seLinuxOptions={"role": "r"})),
                "seLinuxOptions",
                'container "c" set forbidden securityContext.seLinuxOptions: role may not be set',
            ),
            (
                spec({**container(), "lifecycle": {"preStop": {"tcpSocket": {"host": "h", "port": 1}}}}),
                "probe or lifecycle host",
                'container "c" uses probe or lifecycle host "h"',
            ),
            (
                spec(securityContext={"windowsOptions": {"hostProcess": True}}),
                "hostProcess",
                "pod must not set securityContext.windowsOptions.hostProcess=true",
            ),
            (
                spec(securityContext={"sysctls": [{"name": "kernel.x"}, {"name": "net.ipv4.tcp_rmem"}]}),
                "forbidden sysctls",
                "kernel.x",
            ),
        ],
    )
    def test_what_baseline_forbids(self, body: Obj, reason: str, detail: str) -> None:
        assert evaluate(Standard("baseline"), {}, body) == [(reason, detail)]

    def test_apparmor_profiles_of_fields_and_annotations_are_told_together(self) -> None:
        key = "container.apparmor.security.beta.kubernetes.io/c"
        body = spec(container(appArmorProfile={"type": "Unconfined"}))
        assert evaluate(Standard("baseline"), {"annotations": {key: "unconfined"}}, body) == [
            (
                "forbidden AppArmor profiles",
                'container "c" and annotation must not set AppArmor profile type to '
                f'"Unconfined", "{key}="unconfined""',
            )
        ]
        assert reasons("baseline", spec(), **{key: "localhost/x"}) == []

    def test_init_and_ephemeral_containers_count_in_their_order(self) -> None:
        body = spec(container("b", privileged=True), initContainers=[container("a", privileged=True)])
        body["ephemeralContainers"] = [container("e", privileged=True)]
        assert details("baseline", body)[0].startswith('containers "a", "b", "e" ')

    @pytest.mark.parametrize(
        ("level", "version", "body", "wanted"),
        [
            ("baseline", 26, spec(securityContext={"sysctls": [{"name": "net.ipv4.ip_local_reserved_ports"}]}), 1),
            ("baseline", 27, spec(securityContext={"sysctls": [{"name": "net.ipv4.ip_local_reserved_ports"}]}), 0),
            ("baseline", 31, spec(securityContext={"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}), 1),
            ("baseline", 32, spec(securityContext={"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}), 0),
            ("baseline", 30, spec(container(seLinuxOptions={"type": "container_engine_t"})), 1),
            ("baseline", 31, spec(container(seLinuxOptions={"type": "container_engine_t"})), 0),
            ("baseline", 33, spec({**container(), "livenessProbe": {"httpGet": {"host": "h"}}}), 0),
            ("baseline", 34, spec({**container(), "livenessProbe": {"httpGet": {"host": "h"}}}), 1),
            ("baseline", 34, spec(container(procMount="Unmasked"), hostUsers=False), 1),
            ("baseline", 35, spec(container(procMount="Unmasked"), hostUsers=False), 0),
            ("baseline", 18, spec(container(seccompProfile={"type": "Unconfined"})), 0),
            ("baseline", 19, spec(container(seccompProfile={"type": "Unconfined"})), 1),
            ("restricted", 7, spec(), 1),
            ("restricted", 8, spec(), 2),
            ("restricted", 19, spec(), 3),
            ("restricted", 22, spec(), 4),
            ("restricted", 24, spec(os={"name": "windows"}), 4),
            ("restricted", 25, spec(os={"name": "windows"}), 1),
            ("restricted", 34, spec(container(**{**FINE, "runAsUser": 0}), hostUsers=False), 1),
            ("restricted", 35, spec(container(**{**FINE, "runAsUser": 0}), hostUsers=False), 0),
            ("restricted", 22, spec(container(**{**FINE, "runAsUser": 0})), 0),
            ("restricted", 23, spec(container(**{**FINE, "runAsUser": 0})), 1),
            ("restricted", 35, spec(container(**FINE, procMount="Unmasked"), hostUsers=False), 1),
        ],
    )
    def test_checks_hold_from_their_version_on(self, level: str, version: int, body: Obj, wanted: int) -> None:
        assert len(reasons(level, body, version)) == wanted

    def test_old_versions_look_at_seccomp_annotations(self) -> None:
        key = "container.seccomp.security.alpha.kubernetes.io/c"
        assert details("baseline", spec(), 18, **{key: "unconfined"}) == [f'forbidden annotation {key}="unconfined"']
        assert reasons("baseline", spec(), 19, **{key: "unconfined"}) == []

    def test_a_restricted_check_stands_in_for_the_baseline_one(self) -> None:
        body = spec(container(**{**FINE, "capabilities": {"drop": ["ALL"], "add": ["SYS_TIME"]}}))
        body["volumes"] = [
            {"name": "v", "hostPath": {"path": "/"}},
            {"name": "n", "nfs": {}},
            {"name": "i", "image": {}},
        ]
        assert evaluate(Standard("restricted"), {}, body) == [
            (
                "unrestricted capabilities",
                'container "c" must not include "SYS_TIME" in securityContext.capabilities.add',
            ),
            ("restricted volume types", 'volumes "v", "n" use restricted volume types "hostPath", "nfs"'),
        ]

    def test_what_the_pod_says_holds_for_containers_that_say_nothing(self) -> None:
        inherited = {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}}
        rest = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert reasons("restricted", spec(container(**rest), securityContext=inherited)) == []
        assert details("restricted", spec(container(**rest, runAsNonRoot=False), securityContext=inherited)) == [
            'container "c" must not set securityContext.runAsNonRoot=false'
        ]

    def test_checks_stand_in_the_order_they_are_told(self) -> None:
        told = [(check.level, check.id) for check in CHECKS]
        assert told == sorted(told, key=lambda each: (each[0] != "baseline", each[1]))
        for check in CHECKS:
            since = [version for version, _ in check.versions]
            assert since == sorted(since, reverse=True)


class TestAdmission:
    def test_a_pod_that_breaks_what_is_enforced_is_refused(self, server: APIServer, client: LocalClient) -> None:
        label(client, enforce="baseline")
        answer = send(server, pod(spec(hostPID=True)))
        assert (answer.status, answer.json()["message"]) == (
            403,
            'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)',
        )
        assert warnings(answer) == []
        assert send(server, pod(spec())).status == 201

    def test_whatever_holds_a_template_is_only_warned_about(self, server: APIServer, client: LocalClient) -> None:
        label(client, enforce="baseline")
        template = {"metadata": {"labels": {"a": "b"}}, "spec": spec(hostPID=True)}
        bodies = {
            "/apis/apps/v1/namespaces/default/deployments": ("apps/v1", "Deployment", {"template": template}),
            "/apis/batch/v1/namespaces/default/cronjobs": (
                "batch/v1",
                "CronJob",
                {
                    "schedule": "* * * * *",
                    "jobTemplate": {"spec": {"template": {"spec": {**spec(hostPID=True), "restartPolicy": "Never"}}}},
                },
            ),
        }
        for path, (version, kind, body) in bodies.items():
            selector = {"selector": {"matchLabels": {"a": "b"}}} if kind == "Deployment" else {}
            answer = send(
                server,
                {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": {**selector, **body}},
                path,
            )
            assert answer.status == 201, answer.body
            assert warnings(answer) == [
                '299 - "would violate PodSecurity \\"baseline:latest\\": host namespaces (hostPID=true)"'
            ]

    def test_auditing_changes_no_answer(self, server: APIServer, client: LocalClient) -> None:
        label(client, audit="restricted")
        answer = send(server, pod(spec(hostPID=True)))
        assert (answer.status, warnings(answer)) == (201, [])

    def test_an_update_is_judged_when_it_changes_an_image(self, server: APIServer, client: LocalClient) -> None:
        send(server, pod(spec(hostPID=True)))
        label(client, enforce="baseline")
        path = f"{PODS}/p"
        assert send(server, {"metadata": {"labels": {"a": "b"}}}, path, "PATCH").status == 200
        changed = {"spec": {"containers": [container() | {"image": "new"}]}}
        answer = server.http("PATCH", path, changed, "application/strategic-merge-patch+json")
        assert answer.status == 403, answer.body

    def test_ephemeral_containers_are_judged(self, server: APIServer, client: LocalClient) -> None:
        label(client, enforce="baseline")
        send(server, pod(spec()))
        changed = {"spec": {"ephemeralContainers": [container("e", privileged=True)]}}
        answer = send(server, changed, f"{PODS}/p/ephemeralcontainers", "PATCH")
        assert (answer.status, 'container "e" must not' in answer.json()["message"]) == (403, True)

    def test_status_is_nobodys_business(self, server: APIServer, client: LocalClient) -> None:
        send(server, pod(spec(hostPID=True)))
        label(client, enforce="baseline")
        assert send(server, {"status": {"phase": "Running"}}, f"{PODS}/p/status", "PATCH").status == 200

    def test_labels_that_are_wrong_are_refused_when_they_are_new(self, server: APIServer, client: LocalClient) -> None:
        with pytest.raises(StatusError) as refused:
            label(client, enforce="x", warn_version="1.2")
        assert refused.value.code == 422
        assert refused.value.message == (
            'Namespace "default" is invalid: '
            f'[metadata.labels[{PREFIX}enforce]: Invalid value: "x": must be one of privileged, baseline, restricted, '
            f'metadata.labels[{PREFIX}warn-version]: Invalid value: "1.2": must be "latest" or "v1.x"]'
        )

    def test_a_stricter_level_tells_which_pods_it_would_refuse(self, server: APIServer, client: LocalClient) -> None:
        owner = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}]
        for name in ("c", "a", "b"):
            assert send(server, pod(spec(hostPID=True), name, ownerReferences=owner)).status == 201
        send(server, pod(spec(hostIPC=True, hostPID=True), "d"))
        send(server, pod(spec(container(privileged=True)), "e"))
        labels = {"metadata": {"labels": {f"{PREFIX}enforce": "baseline"}}}
        answer = send(server, labels, "/api/v1/namespaces/default", "PATCH")
        assert warnings(answer) == [
            '299 - "existing pods in namespace \\"default\\" violate the new PodSecurity enforce level '
            '\\"baseline:latest\\""',
            '299 - "a (and 3 other pods): host namespaces"',
            '299 - "e: privileged"',
        ]
        relaxed = {"metadata": {"labels": {f"{PREFIX}enforce": "privileged"}}}
        assert warnings(send(server, relaxed, "/api/v1/namespaces/default", "PATCH")) == []
