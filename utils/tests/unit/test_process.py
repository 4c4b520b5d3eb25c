"""Programs are run to their end, their failures are words, and none is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from otel_layers import process
from otel_layers.errors import BuildFailed, ToolMissing


def test_output_and_failure() -> None:
    assert process.run([sys.executable, "-c", "print('out')"], capture=True) == "out\n"
    with pytest.raises(BuildFailed) as error:
        process.run([sys.executable, "-c", "import sys; sys.exit('the cause')"], capture=True, error=BuildFailed, remedy="mend it")
    assert error.value.lines()[1:] == ["  because: the cause", "  try: mend it"]


def test_a_missing_program_is_said() -> None:
    with pytest.raises(ToolMissing, match="no-such-program is not installed"):
        process.run(["no-such-program"], remedy="install it")


def test_a_program_that_outlives_its_time_is_ended_with_its_children(tmp_path: Path) -> None:
    code = f"""
import pathlib, subprocess
child = subprocess.Popen(["sleep", "60"])
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
child.wait()
"""
    with pytest.raises(BuildFailed, match="took longer than 2 s"):
        process.run([sys.executable, "-c", code], timeout=2, error=BuildFailed)
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not alive(child):
            break
        time.sleep(0.05)
    assert not alive(child)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return state != "Z"


def test_a_group_is_ended_though_an_interrupt_left_the_lock_of_its_process_taken() -> None:
    child = subprocess.Popen(["sleep", "300"], text=True, start_new_session=True)
    child._waitpid_lock.acquire()  # type: ignore[attr-defined]
    process.end_group(child, grace=0.5)
    assert child.returncode == -signal.SIGTERM
