"""A history of sixty commits, synced one by one: each ends where a fresh apply of it would have ended.

What depends on history is apart: old ReplicaSets, which node and which name suffix, allocated addresses,
and the pull policy, which is defaulted once from the first image's tag and then stays, as upstream's does.
The latency of each commit is printed (``-s`` shows it).
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Obj, dig
from kctl.cli import carry
from kctl.cli.session import Opened
from kctl.gitops import inventory
from kctl.gitops.apply import Options
from kctl.gitops.sync import sync_commit
from kctl.gitops.yaml import dump, read
from kctl.plan import tree

COMMITS = 60
SEED = 20260303
CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
APPS = ("voting-app", "microservices-demo")
OF_HISTORY = {
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "imagePullPolicy",
    "healthCheckNodePort",
    "batch.kubernetes.io/controller-uid",
    "controller-uid",
}


class History:
    """A repository in the making: files by name, and the changes that people make to them."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self.chance = folder, chance
        self.files: dict[str, list[Obj]] = {}
        self.huge: tuple[str, int] | None = None
        self.past: list[tuple[dict[str, list[Obj]], tuple[str, int] | None]] = []
        self.git("init", "-q", "-b", "main", ".")
        for app in APPS:
            for path in sorted((CORPUS / app).glob("*.yaml")):
                for n, document in enumerate(read(path.read_bytes()).documents):
                    if document.value:
                        self.files[f"{app}/{path.stem}-{n}.yaml"] = [document.value]

    def git(self, *args: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = ["git", *identity, *args]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, what: str) -> str:
        for path in self.folder.rglob("*.yaml"):
            path.unlink()
        for name, documents in self.files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            text = "---\n".join(dump(document) for document in documents)
            (self.folder / name).write_text(f"# {what}\n{text}" if what == "comment" else text, encoding="utf-8")
        self.past.append((dict(self.files), self.huge))
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", what)
        return self.git("rev-parse", "HEAD")

    def pick(self, kind: str = "") -> tuple[str, int]:
        """Return where an object of a kind is described."""
        places = [
            (name, n)
            for name, documents in sorted(self.files.items())
            for n, document in enumerate(documents)
            if kind in ("", document["kind"])
        ]
        return self.chance.choice(places)

    def change(self, place: tuple[str, int], path: tuple[Any, ...], value: Any) -> None:
        """Set a field of an object."""
        name, n = place
        documents = list(self.files[name])
        documents[n] = _with(documents[n], path, value)
        self.files[name] = documents

    # what people do

    def scale(self) -> None:
        self.change(self.pick("Deployment"), ("spec", "replicas"), self.chance.randint(0, 4))

    def release(self) -> None:
        path = ("spec", "template", "spec", "containers", 0, "image")
        self.change(self.pick("Deployment"), path, f"example/app:{self.chance.randint(1, 99)}")

    def cannot_fit(self) -> None:
        """Ask for more than any node has; once that is so, for less again."""
        huge, self.huge = self.huge, None
        place = huge if huge and len(self.files.get(huge[0], ())) > huge[1] else self.pick("Deployment")
        cpu = "100m"
        if huge is None:
            self.huge, cpu = place, "64"
        self.change(place, ("spec", "template", "spec", "containers", 0, "resources"), {"requests": {"cpu": cpu}})

    def go_back(self) -> None:
        self.files, self.huge = self.past[self.chance.randrange(max(0, len(self.past) - 9), len(self.past))]

    def annotate(self) -> None:
        self.change(self.pick(), ("metadata", "annotations"), {"note": str(self.chance.randint(1, 99))})

    def label(self) -> None:
        self.change(self.pick("Service"), ("metadata", "labels"), {"tier": str(self.chance.randint(1, 9))})

    def open_port(self) -> None:
        self.change(self.pick("Service"), ("spec", "ports", 0, "port"), self.chance.randint(1000, 9000))

    def expose(self) -> None:
        kind = self.chance.choice(["ClusterIP", "NodePort", "LoadBalancer"])
        place = self.pick("Service")
        service = self.files[place[0]][place[1]]
        ports = [{k: v for k, v in port.items() if k != "nodePort"} for port in service["spec"]["ports"]]
        self.change(place, ("spec",), {**service["spec"], "type": kind, "ports": ports})

    def add(self) -> None:
        number = self.chance.randint(1, 9)
        meta = {"name": f"settings-{number}"}
        one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"n": str(number)}}
        self.files[f"settings-{number}.yaml"] = [one]

    def run_once(self) -> None:
        number = self.chance.randint(1, 9)
        pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}
        spec = {"completions": 2, "template": {"spec": pod}}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": f"job-{number}"}, "spec": spec}
        self.files.setdefault(f"job-{number}.yaml", [job])

    def found_namespace(self) -> None:
        name = f"team-{self.chance.randint(1, 3)}"
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        meta = {"name": "quota", "namespace": name}
        quota = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"pods": "10"}}
        self.files[f"{name}.yaml"] = [quota, space]

    def remove(self) -> None:
        """Drop a file; not one that others need: pods that run go on without their ServiceAccount, new ones do not."""
        name = self.pick()[0]
        if all(document["kind"] != "ServiceAccount" for document in self.files[name]):
            del self.files[name]

    def move(self) -> None:
        name = self.pick()[0]
        self.files[f"moved/{self.chance.randint(1, 10**6)}.yaml"] = self.files.pop(name)

    def join(self) -> None:
        one, other = self.pick()[0], self.pick()[0]
        if one != other:
            self.files[one] = [*self.files[one], *self.files.pop(other)]

    def comment(self) -> None:
        """Change no object at all."""

    def turn(self) -> str:
        """Make one change and return what it was."""
        done: Callable[[], None] = self.chance.choice(
            [
                *(self.scale, self.release, self.cannot_fit, self.annotate, self.label, self.open_port, self.expose),
                *(
                    self.go_back,
                    self.add,
                    self.run_once,
                    self.found_namespace,
                    self.remove,
                    self.move,
                    self.join,
                    self.comment,
                ),
            ]
        )
        done()
        return done.__name__


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    first, *rest = path
    if isinstance(value, list):
        return [_with(item, tuple(rest), new) if n == first else item for n, item in enumerate(value)]
    return {**value, first: _with(value.get(first, {}), tuple(rest), new)}


def synced(plane: ControlPlane, folder: Path, commit: str) -> Obj:
    """Sync a commit and return the Report."""
    found = sync_commit(str(folder), commit)
    job = carry.Job(found.set_name, found.source, Options(prune=True, prune_confirm=True))
    return carry.report_of(Opened(plane, None), found.manifests, job)


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _comparable(found) for name, found in value.items() if name not in OF_HISTORY}
    return [_comparable(item) for item in value] if isinstance(value, list) else value


def state(plane: ControlPlane, report: Obj) -> Obj:
    """Return what a commit stands for: its objects, the inventory, their health, the verdict, the blockers."""
    client = plane.client
    targets = tree.applied(client)
    listed = [entry for found in client.list(inventory.RESOURCE).items for entry in inventory.entries(found)]
    health = tree.status(client, targets)
    objects = {}
    for target in targets:
        obj = tree.find(client, target)
        meta = dig(obj, "metadata", default={})
        annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if "deployment.kubernetes.io" not in k}
        objects[f"{target.resource} {target.key}"] = (
            _comparable([(obj or {}).get(part) for part in ("spec", "data")]),
            _comparable(meta.get("labels")),
            annotations,
        )
    return {
        "objects": objects,
        "inventory": sorted(entry.identity for entry in listed),
        "health": {(node["object"], node["namespace"]): (node["health"], node["reason"]) for node in health["objects"]},
        "verdict": report["verdict"],
        "blockers": sorted((b["owner"], b["reason"], b["count"]) for b in report["residual"]),
    }


@pytest.mark.slow
def test_every_commit_ends_where_a_fresh_apply_of_it_ends(tmp_path: Path) -> None:
    if not CORPUS.is_dir():
        pytest.skip("no ../shared/corpus beside the checkout")
    history = History(tmp_path, random.Random(SEED))
    commits = [("all", history.commit("all"))]
    for _ in range(COMMITS - 1):
        what = history.turn()
        commits.append((what, history.commit(what)))
    with ControlPlane.open(None, nodes=3, cloud="local") as plane:
        for n, (what, commit) in enumerate(commits):
            started = time.process_time()
            report = synced(plane, tmp_path, commit)
            print(f"{n:3} {what:16} {1000 * (time.process_time() - started):6.0f} ms {report['verdict']}")
            with ControlPlane.open(None, nodes=3, cloud="local") as fresh:
                expected = state(fresh, synced(fresh, tmp_path, commit))
            found = state(plane, report)
            differing = [
                (part, name, found[part].get(name), expected[part].get(name))
                for part in ("objects", "health")
                for name in sorted(found[part].keys() | expected[part].keys())
                if found[part].get(name) != expected[part].get(name)
            ]
            assert differing == [], f"{n}: {what}"
            assert found == expected, f"{n}: {what}"
