"""The sandbox's file system: a root of our own in memory, the host's programs and libraries, Lambda's folders; all read-only but /tmp."""

# ruff: noqa: PTH102, PTH103, PTH106, PTH110, PTH112, PTH114, PTH115, PTH120, PTH123, PTH211
# (pathlib is not worth its start-up time here)
from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import system
else:
    import system

HOST = "/.host"  # where the old root is while the new one is being built
ETC = (
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "ssl",
    "pki",
    "ca-certificates",
    "crypto-policies",
    "alternatives",
    "mime.types",
    "protocols",
    "services",
)
DEVICES = ("null", "zero", "full", "random", "urandom")


def build(base: str, binds: list[tuple[str, str]], hidden: list[str], tmp_mb: int, hostname: str, owner: tuple[int, int]) -> list[str]:
    """
    Replace the root. `binds` are (host path, path inside), read-only; `hidden` are folders inside that shall be empty.

    `base` is any folder of the host to mount on for a moment. Returns what could not be done, in words.
    """
    less: list[str] = []
    system.mount("none", "/", "none", system.MS_REC | system.MS_PRIVATE)
    system.mount("tmpfs", base, "tmpfs", system.MS_NOSUID | system.MS_NODEV, "mode=0755,size=16m")
    os.mkdir(base + HOST)
    system.pivot_root(base, base + HOST)
    os.chdir("/")
    _programs()
    _etc(hostname, owner)
    _devices()
    os.mkdir("/proc")
    try:
        system.mount("proc", "/proc", "proc", system.MS_NOSUID | system.MS_NODEV | system.MS_NOEXEC)
        with suppress(OSError):
            system.mount("/proc/sys", "/proc/sys", "none", system.MS_BIND | system.MS_REC)
            system.read_only("/proc/sys")
    except OSError:
        # A container that masks parts of /proc does not let its users mount another one.
        _bind("/proc", "/proc")
        less.append("/proc shows the host's processes: this machine does not allow mounting another one")
    for source, inside in binds:
        _bind(source, inside)
    for folder in hidden:
        if os.path.isdir(folder):
            system.mount("tmpfs", folder, "tmpfs", system.MS_RDONLY | system.MS_NOSUID | system.MS_NODEV, "mode=0755,size=4k")
    os.makedirs("/opt", exist_ok=True)
    os.mkdir("/tmp", 0o1777)  # noqa: S108 - the sandbox's own
    system.mount("tmpfs", "/tmp", "tmpfs", system.MS_NOSUID | system.MS_NODEV, f"mode=01777,size={tmp_mb}m")  # noqa: S108
    system.detach(HOST)
    os.rmdir(HOST)
    system.mount("none", "/", "none", system.MS_REMOUNT | system.MS_BIND | system.MS_RDONLY | system.MS_NOSUID | system.MS_NODEV)
    return less


def _bind(source: str, inside: str, *, writable: bool = False) -> None:
    host = HOST + source
    if os.path.isdir(host):
        os.makedirs(inside, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(inside), exist_ok=True)
        if not os.path.exists(inside):
            os.close(os.open(inside, os.O_CREAT | os.O_WRONLY, 0o644))
    system.mount(host, inside, "none", system.MS_BIND | system.MS_REC)
    if not writable:
        system.read_only(inside)


def _programs() -> None:
    for name in ("usr", "bin", "sbin", "lib", "lib64", "lib32", "libx32"):
        host = f"{HOST}/{name}"
        if os.path.islink(host):
            os.symlink(os.readlink(host), f"/{name}")
        elif os.path.isdir(host):
            _bind(f"/{name}", f"/{name}")
    with suppress(OSError):
        _bind("/sys/devices/system/cpu", "/sys/devices/system/cpu")  # where programs count processors


def _etc(hostname: str, owner: tuple[int, int]) -> None:
    os.mkdir("/etc")
    for name in ETC:
        host = f"{HOST}/etc/{name}"
        if os.path.islink(host) and not os.path.exists(host):
            continue
        if os.path.exists(host):
            _bind(f"/etc/{name}", f"/etc/{name}")
    user, group = owner
    for name, text in (
        ("hosts", f"127.0.0.1 localhost sandbox.localdomain sandbox {hostname}\n"),
        ("resolv.conf", ""),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
        ("passwd", f"root:x:0:0:root:/root:/bin/sh\nsbx_user1051:x:{user}:{group}::/home/sbx_user1051:/sbin/nologin\n"),
        ("group", f"root:x:0:\nsbx_user1051:x:{group}:\n"),
    ):
        with open(f"/etc/{name}", "w", encoding="utf-8") as out:
            out.write(text)


def _devices() -> None:
    os.mkdir("/dev")
    for name in DEVICES:
        _bind(f"/dev/{name}", f"/dev/{name}", writable=True)
    for name, to in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")):
        os.symlink(to, f"/dev/{name}")
