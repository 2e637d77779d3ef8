"""The command line in this process: in a directory of its own, its output in texts."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kctl.cli.main import run

SHOP = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: shop}
stringData: {password: hunter2, token: opensesame}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop, labels: {tier: config}}
data: {colour: blue}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: example/web:1
          command: [serve, --all]
          ports: [{containerPort: 8080, name: http}]
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
          env:
            - {name: MODE, value: fast}
            - name: PASSWORD
              valueFrom: {secretKeyRef: {name: keys, key: password}}
          volumeMounts: [{name: cache, mountPath: /cache}]
      volumes: [{name: cache, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{port: 80, targetPort: http, name: http}]
"""

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'nginx:1'}]}
"""


class Ran(NamedTuple):
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Read standard output as JSON."""
        return json.loads(self.out)


class Kctl:
    """Runs command lines in the current directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *args: str, stdin: str = "", code: int | None = 0) -> Ran:
        """Run a command and check its exit code (None: any)."""
        out, err, before = io.StringIO(), io.StringIO(), sys.stdin
        sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode()))
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                got = run(args)
        finally:
            sys.stdin = before
        ran = Ran(got, out.getvalue(), err.getvalue())
        assert "internal error" not in ran.err, ran.err
        if code is not None:
            assert ran.code == code, f"exit {ran.code}, wanted {code}\n{ran.out}\n{ran.err}"
        return ran

    def get(self, *args: str) -> Any:
        """Return an object as JSON."""
        return self("get", *args, "-o", "json").json()

    def write(self, name: str, text: str) -> Path:
        """Write a file below the directory."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def kctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kctl:
    """Kctl in an empty directory."""
    for name in [name for name in os.environ if name.startswith(("KCTL_", "GIT_", "_KCTL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Kctl(tmp_path)


@pytest.fixture
def web(kctl: Kctl) -> Kctl:
    """Kctl where a Deployment of three replicas runs."""
    kctl.write("web.yaml", WEB)
    kctl("apply", "-f", "web.yaml")
    return kctl


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with shop.yaml, applied."""
    folder = tmp_path_factory.mktemp("made")
    before = Path.cwd()
    os.chdir(folder)
    try:
        made = Kctl(folder)
        made.write("shop.yaml", SHOP)
        made("apply", "-f", "shop.yaml")
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def shop(made: Path, kctl: Kctl) -> Kctl:
    """Kctl in a directory with shop.yaml, applied: two pods behind a load balancer, a Secret."""
    shutil.copytree(made, kctl.folder, dirs_exist_ok=True)
    return kctl
