"""
The sandbox's first process: enters the namespaces, builds the root, listens, then starts, stops and reaps processes as it is told.

Called as `python -I -S inside/ FD`; FD is one end of a SOCK_SEQPACKET pair to the controller, whose end of file means that the controller
is gone: then everything here is killed and the cgroups are removed. Every message is one JSON object; requests carry an `id`.
"""

# ruff: noqa: PTH123
# (pathlib is not worth its start-up time here)
from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import mounts, processes, system
else:
    import mounts
    import processes
    import system

Message = dict[str, Any]


class Controller:
    """The controller at the other end of the socket."""

    def __init__(self, fd: int) -> None:
        self.socket = socket.socket(fileno=fd)

    def receive(self) -> tuple[Message | None, list[int]]:
        """The next message and the files that came with it; None when the controller is gone."""
        try:
            body, fds, _, _ = socket.recv_fds(self.socket, 1 << 18, 16)
        except ConnectionError:
            return None, []
        return (json.loads(body) if body else None), fds

    def send(self, message: Message, fds: list[int] | None = None) -> None:
        """Send `message` with open files `fds`."""
        with contextlib.suppress(OSError):
            socket.send_fds(self.socket, [json.dumps(message).encode()], fds or [])


def enter(spec: Message) -> None:
    """Enter new namespaces; the rest of this program then runs as process 1 of them, and this process only waits for it."""
    if spec["map"]:
        inside_user, inside_group, user, group = spec["map"]
        system.unshare(system.CLONE_NEWUSER)
        for name, text in (("uid_map", f"{inside_user} {user} 1"), ("setgroups", "deny"), ("gid_map", f"{inside_group} {group} 1")):
            with open(f"/proc/self/{name}", "w", encoding="utf-8") as out:
                out.write(text)
    system.unshare(system.CLONE_NEWNS | system.CLONE_NEWPID | system.CLONE_NEWNET | system.CLONE_NEWIPC | system.CLONE_NEWUTS)


def listen(ports: list[int]) -> list[socket.socket]:
    """Listening sockets on this namespace's loopback."""
    out = []
    for port in ports:
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen(128)
        out.append(s)
    return out


class Sandbox:
    """The processes of the sandbox and the loop that serves the controller."""

    def __init__(self, controller: Controller, spec: Message, cgroups: list[int], thaw: int, cgroup_parents: list[int]) -> None:
        self.controller, self.spec, self.cgroups, self.thaw, self.parents = controller, spec, cgroups, thaw, cgroup_parents
        self.names: dict[int, str] = {}

    def serve(self, wakeup: int) -> None:
        """Do what the controller says until it is gone."""
        poll = select.poll()
        for fd in (self.controller.socket.fileno(), wakeup):
            poll.register(fd, select.POLLIN | select.POLLHUP)
        while True:
            for fd, _ in poll.poll():
                if fd == wakeup:
                    os.read(wakeup, 4096)
                    self.reap()
                    continue
                message, fds = self.controller.receive()
                if message is None:
                    return
                reply, out = self.do(message, fds)
                self.controller.send({"id": message["id"], **reply}, out)
                for opened in [*fds, *out]:
                    os.close(opened)

    def do(self, message: Message, fds: list[int]) -> tuple[Message, list[int]]:
        """Answer one request."""
        match message["do"]:
            case "start":
                pid, at = processes.start(message, fds[0], self.spec, self.cgroups)
                self.names[pid] = message["name"]
                return {"pid": pid, "at": at}, []
            case "signal":
                for pid, name in self.names.items():
                    if name == message["name"]:
                        with contextlib.suppress(ProcessLookupError, PermissionError):
                            os.killpg(pid, message["signal"])
                return {}, []
            case "stop":
                return {"stopped": processes.stop_all()}, []
            case "continue":
                processes.signal_all(signal.SIGCONT)
                return {}, []
            case "clear":
                self.clear()
                return {}, []
            case "connect":
                s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                s.settimeout(0.2)
                try:
                    s.connect(("127.0.0.1", message["port"]))
                except OSError as exc:
                    s.close()
                    return {"error": str(exc)}, []
                return {}, [s.detach()]
        return {"error": f"unknown request {message['do']}"}, []

    def reap(self) -> None:
        """Collect every ended process; tell the controller of those that it started."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            name = self.names.pop(pid, "")
            if name:
                self.controller.send({"exit": name, "pid": pid, "code": os.waitstatus_to_exitcode(status), "at": time.monotonic_ns()})

    def clear(self) -> None:
        """Kill and reap every process of the sandbox."""
        if self.thaw >= 0:
            with contextlib.suppress(OSError):
                os.pwrite(self.thaw, self.spec["thawed"].encode(), 0)  # a frozen process of cgroup v1 cannot even be killed
        while processes.descendants():
            processes.signal_all(signal.SIGKILL)
            self.reap()
            time.sleep(0.001)

    def leave(self) -> None:
        """The end: nothing stays, neither processes nor cgroups."""
        self.clear()
        for fd in self.cgroups:
            os.close(fd)
        for fd in self.parents:
            for _ in range(200):
                try:
                    os.rmdir(self.spec["cgroup"], dir_fd=fd)
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.005)
                    continue
                break


def main() -> None:
    """Set up, serve, leave."""
    controller = Controller(int(sys.argv[1]))
    spec, fds = controller.receive()
    if spec is None:
        return
    count = spec["groups"]
    cgroups, parents, rest = fds[:count], fds[count : 2 * count], fds[2 * count :]
    less: list[str] = []
    namespaces = spec["namespaces"]
    try:
        if namespaces:
            enter(spec)
            pid = os.fork()
            if pid:
                controller.socket.close()
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    signal.signal(number, signal.SIG_IGN)
                os.waitpid(pid, 0)
                return
            system.die_with_parent(signal.SIGKILL)
            system.loopback_up()
            with contextlib.suppress(OSError):
                socket.sethostname(spec["hostname"])
            less = mounts.build(spec["base"], spec["binds"], spec["hidden"], spec["tmp_mb"], spec["hostname"], tuple(spec["owner"]))
        else:
            system.adopt_orphans()
        sockets = listen(spec["ports"])
    except OSError as exc:
        controller.send({"refused": str(exc)})
        return
    except Exception as exc:  # noqa: BLE001 - a traceback needs modules that lie outside the new root
        controller.send({"failed": repr(exc)})
        return
    wakeup, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the controller's end of file ends the sandbox
    sandbox = Sandbox(controller, spec, cgroups, rest[0] if rest else -1, parents)
    controller.send({"ready": True, "less": less, "ports": [s.getsockname()[1] for s in sockets]}, [s.fileno() for s in sockets])
    for s in sockets:
        s.close()
    sandbox.serve(wakeup)
    sandbox.leave()


if __name__ == "__main__":
    main()
