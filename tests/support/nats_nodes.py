"""nats-server on loopback: one node, or a cluster of several, with own folders and free ports."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

PROGRAM = shutil.which("nats-server", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
_PATIENCE = 30.0
_NODE_PORTS = 18_000, 32_000

needs_nats = [
    pytest.mark.system,
    pytest.mark.skipif(PROGRAM is None and "CI" not in os.environ, reason="needs nats-server"),
]
"""Marks of a test or module that starts nodes."""


def until(condition: Callable[[], object], patience: float = _PATIENCE) -> None:
    """Wait for a condition."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def free_port() -> int:
    """A port for a node, which can't be told to choose one and keep it. Systems give connections higher ones:
    none of theirs can take it before the node does."""
    while True:
        port = random.randrange(*_NODE_PORTS)
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


class NatsNode:
    """One nats-server with JetStream, which keeps its port and folder over restarts.

    `config` are further lines of its configuration file.
    """

    def __init__(self, folder: Path, config: str = "", *, name: str = "node", jetstream: bool = True) -> None:
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.port, self.monitor = free_port(), free_port()
        self.name = name
        self._child: subprocess.Popen[bytes] | None = None
        store = f'jetstream {{ store_dir: "{self.folder}", max_file_store: 1GB }}\n' if jetstream else ""
        self._jetstream = jetstream
        self.configure(f"{store}{config}")

    def configure(self, config: str) -> None:
        """Write its configuration, used from the next start on."""
        own = f'server_name: {self.name}\nlisten: "127.0.0.1:{self.port}"\nhttp: "127.0.0.1:{self.monitor}"\n'
        (self.folder / "nats.conf").write_text(own + config + "\n")

    def url(self, stream: str = "CC", *, scheme: str = "nats", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}/{stream}"

    @property
    def pid(self) -> int:
        assert self._child
        return self._child.pid

    @property
    def log(self) -> str:
        return (self.folder / "nats.log").read_text(errors="replace")

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, without waiting until it is ready."""
        command = [str(PROGRAM), "-c", str(self.folder / "nats.conf"), "-l", str(self.folder / "nats.log")]
        self._child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self) -> None:
        """Wait until it answers, JetStream included."""
        until(lambda: self._has_ended or self._asked("/healthz").get("status") == "ok")
        assert not self._has_ended, self.log

    @property
    def _has_ended(self) -> bool:
        return self._child is not None and self._child.poll() is not None

    def restart(self) -> None:
        """Start it again after a stop or kill, and wait until it answers."""
        self.start()
        self.wait()

    def stop(self) -> None:
        """Let it end in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9"""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._child is not None:
            with suppress(ProcessLookupError):
                self._child.send_signal(number)
            self._child.wait(_PATIENCE)
            self._child = None

    def streams(self) -> list[dict[str, Any]]:
        """What it knows of its streams: name, state, cluster (with the leader's name)."""
        answer = self._asked("/jsz?streams=true&config=true")
        return [
            one for account in answer.get("account_details", []) for one in account.get("stream_detail", ())
        ]

    def meta_leader(self) -> str | None:
        leader = self._asked("/jsz").get("meta_cluster", {}).get("leader")
        return leader if isinstance(leader, str) else None

    def _asked(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}{path}", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except OSError:
            return {}


class NatsCluster:
    """Several nodes that form one cluster."""

    def __init__(self, folder: Path, size: int = 3, config: str = "") -> None:
        self._routes = [free_port() for _ in range(size)]
        self.nodes = [NatsNode(folder, name=f"n{number}") for number in range(1, size + 1)]
        for node, port in zip(self.nodes, self._routes, strict=True):
            routes = ", ".join(f'"nats://127.0.0.1:{one}"' for one in self._routes if one != port)
            store = f'jetstream {{ store_dir: "{node.folder}", max_file_store: 1GB }}\n'
            # Addresses of nodes are not passed on to clients: a test says which they know.
            cluster = (
                f'cluster {{ name: c, listen: "127.0.0.1:{port}", no_advertise: true, routes: [{routes}] }}'
            )
            node.configure(f"{store}{cluster}\n{config}")

    def url(self, stream: str = "CC") -> str:
        return f"nats://{','.join(f'127.0.0.1:{node.port}' for node in self.nodes)}/{stream}"

    def __enter__(self) -> Self:
        for node in self.nodes:
            node.start()
        try:
            for node in self.nodes:
                node.wait()
            until(lambda: any(node.meta_leader() for node in self.nodes))
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """kill -9 all nodes."""
        for node in self.nodes:
            node.kill()

    def leader(self, stream: str = "CC") -> NatsNode:
        """The node that leads a stream, once there is one."""
        found: list[NatsNode] = []

        def find() -> bool:
            names = {
                one["cluster"].get("leader")
                for node in self.nodes
                for one in node.streams()
                if one["name"] == stream
            }
            found[:] = [node for node in self.nodes if node.name in names]
            return len(found) == 1

        until(find)
        return found[0]
