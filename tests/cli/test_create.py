"""``create``: the objects kubectl makes from the same flags (recorded from kubectl 1.32), and from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kctl.cli import generators

RECORDED: list[tuple[str, str]] = [
    ("configmap c --from-literal=a=b", "{apiVersion: v1, data: {a: b}, kind: ConfigMap, metadata: {name: c}}"),
    ("cm c -n ns", "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: ns}}"),
    ("cm c --from-file=one.txt", '{apiVersion: v1, data: {one.txt: "1\\n"}, kind: ConfigMap, metadata: {name: c}}'),
    ("cm c --from-file=k=one.txt", '{apiVersion: v1, data: {k: "1\\n"}, kind: ConfigMap, metadata: {name: c}}'),
    ("cm c --from-file=raw.bin", "{apiVersion: v1, binaryData: {raw.bin: /w==}, kind: ConfigMap, metadata: {name: c}}"),
    (
        "cm c --from-env-file=env",
        "{apiVersion: v1, data: {A: b, C: '\"d e\"'}, kind: ConfigMap, metadata: {name: c}}",
    ),
    (
        "secret generic s --from-literal=a=b --type=x",
        "{apiVersion: v1, data: {a: Yg==}, kind: Secret, metadata: {name: s}, type: x}",
    ),
    ("namespace n1", "{apiVersion: v1, kind: Namespace, metadata: {name: n1}, spec: {}, status: {}}"),
    ("serviceaccount sa", "{apiVersion: v1, kind: ServiceAccount, metadata: {name: sa}}"),
    (
        "deployment d --image=b/nginx:1 --replicas=2 --port=80 -- sh -c x",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {labels: {app: d}, name: d}, spec: {replicas: 2, selector: "
        "{matchLabels: {app: d}}, strategy: {}, template: {metadata: {labels: {app: d}}, spec: {containers: [{command: "
        "[sh, -c, x], image: 'b/nginx:1', name: nginx, ports: [{containerPort: 80}], resources: {}}]}}}, status: {}}",
    ),
    (
        "service clusterip s --tcp=80:8080 --tcp=81:web",
        "{apiVersion: v1, kind: Service, metadata: {labels: {app: s}, name: s}, spec: {ports: [{name: 80-8080, port: 80,"
        " protocol: TCP, targetPort: 8080}, {name: 81-web, port: 81, protocol: TCP, targetPort: web}], selector: {app:"
        " s}, type: ClusterIP}, status: {loadBalancer: {}}}",
    ),
    (
        "svc clusterip s --clusterip=None",
        "{apiVersion: v1, kind: Service, metadata: {labels: {app: s}, name: s}, spec: {clusterIP: None, selector: "
        "{app: s}, type: ClusterIP}, status: {loadBalancer: {}}}",
    ),
    (
        "service nodeport s --tcp=80 --node-port=30001",
        "{apiVersion: v1, kind: Service, metadata: {labels: {app: s}, name: s}, spec: {ports: [{name: '80', nodePort: "
        "30001, port: 80, protocol: TCP, targetPort: 80}], selector: {app: s}, type: NodePort}, status: {loadBalancer:"
        " {}}}",
    ),
    (
        "service externalname s --external-name=a.b",
        "{apiVersion: v1, kind: Service, metadata: {labels: {app: s}, name: s}, spec: {externalName: a.b, selector: "
        "{app: s}, type: ExternalName}, status: {loadBalancer: {}}}",
    ),
]


@pytest.fixture
def files(kctl: Any) -> Any:
    """Return kctl in a directory with files to read; there is no cluster."""
    Path("one.txt").write_text("1\n", encoding="utf-8")
    Path("raw.bin").write_bytes(b"\xff")
    Path("env").write_text('A=b\n# no\n\nC="d e"\nNOT_THERE_AT_ALL\n', encoding="utf-8")
    return kctl


@pytest.mark.parametrize(("args", "wanted"), RECORDED)
def test_a_generator_makes_what_kubectl_makes(files: Any, args: str, wanted: str) -> None:
    head, dashes, command = args.partition(" -- ")
    flags = [
        "--dry-run=client",
        "-o",
        "yaml",
        "--show-secrets",
        *([dashes.strip(), *command.split()] if dashes else []),
    ]
    ran = files("create", *head.split(), *flags)
    assert yaml.safe_load(ran.out) == yaml.safe_load(wanted)
    assert not Path(".kctl").exists()


def test_a_hash_of_the_content_is_kubectls() -> None:
    assert generators.config_map("c", None, {"a": b"b"}, append_hash=True)["metadata"]["name"] == "c-m4h6ctkgb2"


def test_a_container_name_has_no_dots() -> None:
    assert generators.container_name("r/img:1@sha256:ab") == "img"
    assert generators.container_name("my_img.x").startswith("my-img-x-")


def test_a_secret_is_masked_unless_asked(files: Any) -> None:
    ran = files("create", "secret", "generic", "s", "--from-literal=a=b", "--dry-run=client", "-o", "yaml")
    assert yaml.safe_load(ran.out)["data"] == {"a": "***"}
    assert ran.err == "the values are masked; --show-secrets shows them\n"


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ("cm c --from-literal=a", "error: invalid literal source a, expected key=value\n"),
        ("cm c --from-file=nope", "error: error reading nope: no such file or directory\n"),
        ("cm c --from-file=a=b=c", "error: key names or file paths cannot contain '='\n"),
        ("cm c --from-file=k=.", "error: cannot give a key name for a directory path\n"),
        ("cm c --from-literal=a=b --from-literal=a=c", 'error: cannot add key "a", another key by that name already'),
        ("cm c --from-literal=a=b --from-env-file=env", "error: from-env-file cannot be combined with from-file"),
        ("cm c --from-literal=a/b=c", 'error: "a/b" is not a valid key name for a ConfigMap: '),
        ("svc clusterip s", "error: at least one tcp port specifier must be provided\n"),
        ("svc loadbalancer s --tcp=x", 'error: strconv.ParseUint: parsing "x": invalid syntax\n'),
        ("svc clusterip s --tcp=80:0", "error: must be between 1 and 65535, inclusive\n"),
        ("deploy d --image=a --image=b -- x", "error: cannot specify multiple --image options and command\n"),
    ],
)
def test_flags_that_mean_nothing_are_refused(files: Any, args: str, text: str) -> None:
    ran = files("create", *args.split()[:2], "--dry-run=client", *args.split()[2:], code=1)
    assert ran.err.startswith(text)
    assert ran.out == ""


def test_what_is_created_runs(kctl: Any) -> None:
    kctl("init")
    assert kctl("create", "ns", "shop").out == "namespace/shop created\n"
    assert (
        kctl("create", "-n", "shop", "deploy", "web", "--image=nginx", "-r", "2").out == "deployment.apps/web created\n"
    )
    assert kctl("create", "svc", "clusterip", "web", "--tcp=80", "-n", "shop").out == "service/web created\n"
    assert [pod["status"]["phase"] for pod in kctl.get("pods", "-n", "shop")["items"]] == ["Running"] * 2
    preview = kctl("create", "--dry-run=client", "-n", "shop", "secret", "generic", "s")
    assert preview.out == "secret/s created (dry run)\n"
    assert kctl("get", "secret", "s", "-n", "shop", code=1).out == ""
    again = kctl("create", "ns", "shop", code=1)
    assert again.err == 'error: failed to create namespace: namespaces "shop" already exists\n'
    assert kctl("create", "sa", "x", "--dry-run=server").out == "serviceaccount/x created (server dry run)\n"


def test_files_are_created_and_those_that_are_there_refused(web: Any) -> None:
    text = Path("web.yaml").read_text(encoding="utf-8")
    Path("two.yaml").write_text(f"{text}---\n{text.replace('name: web}', 'name: other}', 1)}", encoding="utf-8")
    ran = web("create", "-f", "two.yaml", code=1)
    assert ran.out == "deployment.apps/other created\n"
    assert ran.err == 'two.yaml:1: error when creating: deployments.apps "web" already exists\n'
    assert len(web.get("pods")["items"]) == 6
    assert web("create", code=2).out == ""


def test_nothing_is_created_when_a_file_holds_something_invalid(web: Any) -> None:
    one = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
    Path("two.yaml").write_text(f"{one % 'good'}---\n{one % 'NOT_GOOD'}", encoding="utf-8")
    ran = web("create", "-f", "two.yaml", code=1)
    assert ran.out == ""
    assert ran.err.startswith('two.yaml:5: error when creating: ConfigMap "NOT_GOOD" is invalid: metadata.name: ')
    assert web("get", "cm", "good", code=1).out == ""
