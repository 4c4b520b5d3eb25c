"""Nothing stays behind, however the local Lambda's own process ends; and the modes of machines that allow less."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.local_parts import EXTENSION, PROJECT, function, layer, result, said
from otel_layers import toolchain
from otel_layers.local import Endpoints, environment, runtimes

# A process that holds an environment: frozen after an invocation, or in the middle of one.
HOLDER = """
import signal, sys
from pathlib import Path
from e2e.local_parts import PROJECT, function
from otel_layers.local import Endpoints, environment

def leave(number, frame):
    raise SystemExit(128 + number)

signal.signal(signal.SIGTERM, leave)
folder, state, mark = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
source = '''
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)", "%s"], start_new_session=True)
def handler(event, context):
    print("handling", flush=True)
    time.sleep(event)
''' % mark
def say(kind, text):
    if state == "running" and text == "handling":
        print("here", flush=True)
with environment(PROJECT, function(folder, source, timeout_s=100), Endpoints(), log=say) as env:
    env.invoke(b"100" if state == "running" else b"0")
    print("here", flush=True)
    env.stay_frozen(100)
"""


def processes(mark: str) -> list[str]:
    """The command lines of processes that have `mark` in them."""
    out = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in line and "HOLDER" not in line and "environment(" not in line:
            out.append(line)
    return out


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    return [int(p) for task in Path(f"/proc/{pid}/task").glob("*/children") for p in task.read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process is there; one that only waits to be collected by its new parent is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def open_files() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def groups(pid: int) -> list[Path]:
    """The control groups that the process `pid` made."""
    out: list[Path] = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind.startswith("cgroup"):
            out += [Path(folder) for folder, _, _ in os.walk(where) if f"/otel-layers-{pid}-" in folder]
    return out


@pytest.fixture(scope="module", autouse=True)
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> None:
    runtimes.prepare(PROJECT, function(tmp_path_factory.mktemp("warm"), ""))


@pytest.mark.parametrize(
    ("isolation", "number", "state"),
    [
        ("as the machine allows", signal.SIGINT, "frozen"),
        ("as the machine allows", signal.SIGTERM, "running"),
        ("as the machine allows", signal.SIGKILL, "frozen"),
        ("as the machine allows", signal.SIGKILL, "running"),
        ("plain", signal.SIGINT, "running"),
        ("plain", signal.SIGKILL, "frozen"),
    ],
)
def test_nothing_stays_after_a_signal(tmp_path: Path, isolation: str, number: signal.Signals, state: str) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(str(PROJECT.root / p) for p in ("utils", "utils/tests")), "PYTHONDONTWRITEBYTECODE": "1"}
    if isolation == "plain":
        settings["OTEL_LAYERS_ISOLATION"] = "plain"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), state, mark], env=settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "here\n"
        sandbox = children(holder.pid)
        assert sandbox
        assert len(processes(mark)) == 1, "the child that the function started"
        holder.send_signal(number)
        holder.wait(20)
        holder.stdout.close()
        end = time.monotonic() + 10
        while (processes(mark) or groups(holder.pid) or any(map(alive, sandbox))) and time.monotonic() < end:
            time.sleep(0.02)
        assert processes(mark) == []
        assert groups(holder.pid) == []
        assert not any(map(alive, sandbox))
        assert ".cache/sandbox" not in Path("/proc/self/mounts").read_text()
        assert list((PROJECT.cache / "sandbox").iterdir()) == []
    finally:
        holder.kill()
        holder.wait()


def test_nothing_stays_after_the_normal_end(tmp_path: Path) -> None:
    mark = f"mark-{os.getpid()}-normal"
    source = f"""
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)", "{mark}"], start_new_session=True)
        def handler(event, context):
            return 1
    """
    before = open_files()
    with environment(PROJECT, function(tmp_path, source), Endpoints()) as env:
        assert result(env.invoke(b"{}")) == 1
        assert processes(mark)
        assert groups(os.getpid()) or "cgroup" not in env.isolation.lines()[0]
    assert processes(mark) == []
    assert groups(os.getpid()) == []
    end = time.monotonic() + 5
    while open_files() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert open_files() <= before, "no open file is left"


def test_groups_of_a_controller_that_is_gone_are_swept(tmp_path: Path) -> None:
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    made = []
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory"):
        folder = Path(root, f"otel-layers-{gone.pid}-0")
        if Path(root, "cgroup.procs").is_file() and os.access(root, os.W_OK):
            folder.mkdir()
            made.append(folder)
    if not made:
        pytest.skip("no cgroup tree that this user may write")
    with environment(PROJECT, function(tmp_path, "def handler(event, context): return 1"), Endpoints()):
        pass
    assert [folder for folder in made if folder.exists()] == []


def test_plain_mode_runs_functions_and_extensions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OTEL_LAYERS_ISOLATION", "plain")
    wrapper = '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'
    made = layer(tmp_path, "l", {"extensions/watcher*": EXTENSION, "python/shared.py": "A = 1", "wrap*": wrapper})
    source = """
        import os, shared
        def handler(event, context):
            return [shared.A, os.environ["WRAPPED"], os.environ["LAMBDA_TASK_ROOT"], os.getcwd()]
    """
    given = function(tmp_path, source, layers=(made,), environment={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"})
    with environment(PROJECT, given, Endpoints()) as env:
        assert not env.isolation.namespaces
        assert any("no namespaces" in line for line in env.isolation.less)
        got = env.invoke(b"1")
        env.stay_frozen(0.1)
        again = env.invoke(b"1")
    assert result(got) == [1, "yes", str(given.code), str(given.code)]
    assert again.frozen_ms >= 100
    assert [e["eventType"] for e in said(env, "watcher", "event")] == ["INVOKE", "INVOKE", "SHUTDOWN"]
    assert not list(given.code.rglob("*.pyc"))
    assert capsys.readouterr().err.count("no namespaces") <= 1


@pytest.fixture
def nobodys() -> Iterator[tuple[Path, str]]:
    """A copy of what the local Lambda needs that the user nobody owns, and an interpreter that they can run."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user; the other tests run as an ordinary user already")
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed")
    usable = [v for v, path in toolchain.interpreters().items() if _open_to_all(path) and tuple(map(int, v.split("."))) >= (3, 11)]
    own = (PROJECT.cache / "envs").resolve()  # what this project has fetched is not in the copy
    usable = [v for v in usable if f"python{v}" in PROJECT.catalogue.runtimes and not toolchain.interpreters()[v].is_relative_to(own)]
    if not usable:
        pytest.skip("every interpreter lies in a folder that other users cannot enter")
    if subprocess.run(["setpriv", *_NOBODY, "unshare", "-Ur", "true"], check=False, capture_output=True).returncode:
        pytest.skip("the kernel refuses user namespaces to ordinary users")
    with tempfile.TemporaryDirectory(prefix="otel-layers-user-") as folder:
        home = Path(folder)
        (home / "warm").mkdir()
        made = runtimes.prepare(PROJECT, function(home / "warm", "", runtime=f"python{usable[0]}"))
        shutil.copytree(PROJECT.root / "utils", home / "utils", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(PROJECT.root / "requirements", home / "requirements")
        shutil.copytree(Path(pytest.__file__).parents[1], home / "packages", symlinks=True, ignore=_only_pytest)
        for file in ("layers.toml", "pyproject.toml"):
            shutil.copy(PROJECT.root / file, home / file)
        targets = home / ".cache/targets"
        targets.mkdir(parents=True)
        if _open_to_all(made.folder):
            (targets / made.folder.name).symlink_to(made.folder)
        else:
            shutil.copytree(made.folder, targets / made.folder.name, symlinks=True)
        for path in (home, *home.rglob("*")):
            os.chown(path, 65534, 65534, follow_symlinks=False)
        yield home, str(toolchain.interpreters()[usable[0]])


def _only_pytest(folder: str, names: list[str]) -> set[str]:
    wanted = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "pytest_timeout", "py.py")
    top = Path(folder).name == "site-packages"
    return {n for n in names if (top and (not n.startswith(wanted) or "xdist" in n)) or n == "__pycache__"}


def _open_to_all(path: Path) -> bool:
    return all(p.stat().st_mode & 0o005 == 0o005 for p in (path, *path.parents))


def test_everything_works_for_an_ordinary_user(nobodys: tuple[Path, str]) -> None:
    home, python = nobodys
    settings = {
        "PATH": f"{Path(python).parent}:/usr/bin:/bin",
        "HOME": str(home),
        "PYTHONPATH": str(home / "packages"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    tests = [f"utils/tests/e2e/test_local_{name}.py" for name in ("runtime", "extensions", "freeze")]
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={home}/t", "-k", "not SIGSTOP and not left_out", *tests]
    ran = subprocess.run(["setpriv", *_NOBODY, *command], cwd=home, env=settings, capture_output=True, text=True, check=False, timeout=200)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
    assert "skipped" not in ran.stdout, "namespaces are there, so everything is as for root"


_NOBODY = ("--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")

# Ends with what could be had and how far a grandchild in a session of its own counted before and after a freeze.
REFUSED = """
import json, sys
from pathlib import Path
from e2e.local_parts import PROJECT, function, result
from otel_layers.local import Endpoints, environment

folder = Path(sys.argv[1])
source = '''
import subprocess, sys, time
COUNT = "%s"
WRITER = "import sys, time; n = 0\\\\nwhile True:\\\\n    n += 1\\\\n    open(sys.argv[1], 'w').write(str(n))\\\\n    time.sleep(0.001)\\\\n"
subprocess.Popen(["/bin/sh", "-c", 'setsid "$0" -c "$1" "$2" & exit 0', sys.executable, WRITER, COUNT]).wait()
def read():
    while True:
        try:
            return int(open(COUNT).read())
        except (OSError, ValueError):
            time.sleep(0.001)
def handler(event, context):
    first = read()
    time.sleep(0.3)
    return [first, read()]
''' % (folder / "count")
with environment(PROJECT, function(folder, source), Endpoints()) as env:
    one = result(env.invoke(b"1"))
    env.stay_frozen(1.5)
    two = result(env.invoke(b"1"))
    print(json.dumps([env.isolation.namespaces, env.isolation.freezer, one, two]))
"""


def test_a_machine_that_refuses_namespaces_is_served_without(tmp_path: Path) -> None:
    """In a user namespace of our own that forbids further ones, and without rights in it: as in many containers."""
    refuse = 'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"'
    within = ["unshare", "-Ur", "/bin/sh", "-c", refuse, "sh"]
    if subprocess.run([*within, "true"], check=False, capture_output=True).returncode:
        pytest.skip("unshare and setpriv, or the right to use them, are missing")
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(str(PROJECT.root / p) for p in ("utils", "utils/tests")), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [*within, sys.executable, "-c", REFUSED, str(tmp_path)], env=settings, capture_output=True, text=True, check=True, timeout=60
    )
    namespaces, freezer, one, two = json.loads(ran.stdout)
    assert (namespaces, freezer) == (False, "SIGSTOP")
    assert one[1] > one[0] + 20
    assert one[1] <= two[0] < one[1] + 200, "1.5 s awake would be about 1,000 more"
    assert two[1] > two[0] + 20
    assert ran.stderr.count("no namespaces") == 1, "said once"
    assert processes(str(tmp_path / "count")) == []
