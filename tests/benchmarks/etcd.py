"""An etcd of one or three members on the loopback, for benchmarks; driven through its JSON gateway."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from pathlib import Path


class Etcd:
    """Members in folders of their own, started at once; ``close`` ends them."""

    def __init__(self, folder: Path, members: int) -> None:
        ports = [(_free(), _free()) for _ in range(members)]
        cluster = ",".join(f"m{n}=http://127.0.0.1:{peer}" for n, (_, peer) in enumerate(ports))
        self._processes = [
            subprocess.Popen(
                [
                    *(str(self.binary()), "--name", f"m{n}", "--data-dir", str(folder / str(n))),
                    *("--listen-client-urls", f"http://127.0.0.1:{client}"),
                    *("--advertise-client-urls", f"http://127.0.0.1:{client}"),
                    *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
                    *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"),
                    *("--initial-cluster", cluster),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for n, (client, peer) in enumerate(ports)
        ]
        self._port = ports[0][0]
        self._http: http.client.HTTPConnection | None = None
        for _ in range(200):
            try:
                self.put([("/ready", b"")])
                return
            except (OSError, http.client.HTTPException, ValueError):
                self._http = None
                time.sleep(0.1)
        raise RuntimeError("etcd did not start")

    @staticmethod
    def binary() -> str | None:
        """Return where etcd is, None when it is not installed."""
        return shutil.which("etcd")

    @classmethod
    def version(cls) -> str:
        """Return the name and version of the binary."""
        said = subprocess.run([str(cls.binary()), "--version"], capture_output=True, check=True, text=True).stdout
        return said.partition("\n")[0]

    def put(self, pairs: list[tuple[str, bytes]]) -> None:
        """Put keys in one transaction."""
        if self._http is None:
            self._http = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        puts = [
            {"requestPut": {"key": b64encode(key.encode()).decode(), "value": b64encode(value).decode()}}
            for key, value in pairs
        ]
        self._http.request("POST", "/v3/kv/txn", json.dumps({"success": puts}), {"Content-Type": "application/json"})
        answer = json.loads(self._http.getresponse().read())
        if not answer.get("succeeded"):
            raise ValueError(answer)

    def close(self) -> None:
        """End the members."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()


def _free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
