"""The ELF reader agrees with the system's own tool and never fails but in words."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from contract.elf_files import elf_file
from otel_layers.build import elf


def test_made_files_are_read_back() -> None:
    assert elf.read(elf_file(183)) == elf.Elf(183, (), ())
    dynamic = elf_file(62, glibc=("GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.4", "GLIBC_PRIVATE"), libraries=("libm.so.6", "libc.so.6"))
    assert elf.read(dynamic) == elf.Elf(62, ("libm.so.6", "libc.so.6"), (2, 17))
    assert elf.read(elf_file(21, glibc=("GLIBC_2.3",), order=">")) == elf.Elf(21, (), (2, 3))


def test_other_files_are_none() -> None:
    for body in (b"", b"#!/bin/sh\n", b"\x7fEL", b"PK\x03\x04"):
        assert elf.read(body) is None


def test_every_cut_is_an_error_in_words_or_still_tells_the_machine() -> None:
    whole = elf_file(62, glibc=("GLIBC_2.17",), libraries=("libc.so.6",))
    for end in range(4, len(whole)):
        try:
            found = elf.read(whole[:end])
        except ValueError:
            continue
        assert found is not None
        assert found.machine == 62


@pytest.mark.skipif(shutil.which("readelf") is None, reason="readelf (binutils) is not installed")
def test_real_files_are_read_as_readelf_reads_them() -> None:
    paths = {Path(sys.executable).resolve(), Path(shutil.which("bash") or "/bin/sh").resolve()}
    for path in paths:
        found = elf.read(path.read_bytes())
        told = subprocess.run(["readelf", "-W", "-V", "-d", path], capture_output=True, text=True, check=True).stdout
        needs = told[told.index("Version needs section") :]
        versions = [tuple(map(int, v.split("."))) for v in re.findall(r"Name: GLIBC_([\d.]+)", needs)]
        assert found is not None
        assert found.glibc == max(versions)
        assert list(found.libraries) == re.findall(r"Shared library: \[(.+?)\]", told)
