"""Every way in which a zip or its facts can be wrong is refused in words before anything is called."""

import json
import struct
import zipfile
from dataclasses import replace

import pytest
from faults.release_tree import write_facts, write_layer
from otel_layers import archive
from otel_layers.catalog import architecture
from otel_layers.errors import UsageError
from otel_layers.project import open_project
from otel_layers.release import artefacts

LAYER = "opentelemetry-python"


@pytest.fixture
def project(tmp_path):
    return replace(open_project(), root=tmp_path)


def load(project, arch="amd64"):
    return artefacts.load(project.dist, project.catalogue.layer(LAYER), architecture(arch))


def elf(machine):
    return b"\x7fELF\x02\x01\x01" + b"\0" * 9 + struct.pack("<HH", 2, machine) + b"\0" * 44


def test_a_sound_zip_is_described_by_its_own_bytes(project):
    path = write_layer(project, LAYER, "arm64", files={"a": b"x" * 10, "lib/b.so": elf(183)})
    found = load(project, "arm64")
    measured = archive.measure(path)
    assert (found.sha256, found.code_sha256, found.unzipped_bytes) == (measured.sha256, measured.code_sha256, 74)
    assert (found.version, found.arch.name, found.path) == ("0.4.0", "arm64", path)


def test_a_zip_that_is_not_built_names_the_command(project):
    with pytest.raises(UsageError, match=r"opentelemetry-python-amd64\.zip is not built") as caught:
        load(project)
    assert caught.value.remedy == "./run.sh python build --layer opentelemetry-python --arch amd64"


def test_facts_must_be_there(project):
    write_layer(project, LAYER, "amd64").with_suffix(".json").unlink()
    with pytest.raises(UsageError, match=r"the facts of the zip beside it, is not there"):
        load(project)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"'])
def test_facts_must_be_a_json_object(project, text):
    write_layer(project, LAYER, "amd64").with_suffix(".json").write_text(text)
    with pytest.raises(UsageError, match=r"opentelemetry-python-amd64\.json"):
        load(project)


@pytest.mark.parametrize(
    "key", ["layer", "version", "arch", "runtimes", "sha256", "code_sha256", "zipped_bytes", "unzipped_bytes", "source_revision"]
)
def test_every_fact_is_needed(project, key):
    path = write_layer(project, LAYER, "amd64").with_suffix(".json")
    facts = json.loads(path.read_text())
    del facts[key]
    path.write_text(json.dumps(facts))
    with pytest.raises(UsageError, match=f"'{key}' must be"):
        load(project)


@pytest.mark.parametrize(("key", "value"), [("layer", "opentelemetry-collector"), ("arch", "arm64")])
def test_facts_of_another_build_are_refused(project, key, value):
    write_facts(write_layer(project, LAYER, "amd64"), **{key: value})
    with pytest.raises(UsageError, match=f"says {key} '{value}'"):
        load(project)


@pytest.mark.parametrize(("key", "value"), [("sha256", "0" * 64), ("code_sha256", "AAAA"), ("zipped_bytes", 7), ("unzipped_bytes", 7)])
def test_a_zip_with_another_builds_facts_is_refused(project, key, value):
    write_facts(write_layer(project, LAYER, "amd64"), **{key: value})
    with pytest.raises(UsageError, match="not of one build") as caught:
        load(project)
    assert key in caught.value.why


def test_something_else_than_a_zip_is_refused(project):
    path = write_layer(project, LAYER, "amd64")
    path.write_bytes(b"not a zip at all")
    with pytest.raises(UsageError, match="not a sound zip"):
        load(project)


def test_a_flipped_bit_inside_is_found_by_the_checksum(project):
    path = write_layer(project, LAYER, "amd64", files={"bin/data": b"y" * 5000})
    body = bytearray(path.read_bytes())
    body[1000] ^= 1
    path.write_bytes(body)
    write_facts(path)  # the facts agree with the broken bytes: only reading the archive tells
    with pytest.raises(UsageError, match="not a sound zip") as caught:
        load(project)
    assert "CRC" in caught.value.why


def test_lambdas_limit_of_what_is_unpacked(project, monkeypatch):
    write_layer(project, LAYER, "amd64", files={"bin/data": b"z" * 5000})
    monkeypatch.setattr(archive, "MAX_UNZIPPED", 4000)
    with pytest.raises(UsageError, match="unpacks to 5,000 bytes"):
        load(project)


def test_the_limits_are_lambdas():
    assert (archive.MAX_ZIPPED, archive.MAX_UNZIPPED) == (50 * 1024 * 1024, 250 * 1024 * 1024)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_that_is_there_twice_is_refused(project):
    path = write_layer(project, LAYER, "amd64")
    with zipfile.ZipFile(path, "a") as out:
        out.writestr("bin/data", b"again")
    write_facts(path)
    with pytest.raises(UsageError, match="has bin/data twice"):
        load(project)


def test_an_empty_zip_is_refused(project):
    path = write_layer(project, LAYER, "amd64")
    zipfile.ZipFile(path, "w").close()
    write_facts(path)
    with pytest.raises(UsageError, match="is empty"):
        load(project)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd"])
def test_an_entry_that_leaves_the_layer_is_refused(project, name):
    write_layer(project, LAYER, "amd64", files={name: b"x"})
    with pytest.raises(UsageError, match="would leave its folder"):
        load(project)


@pytest.mark.parametrize(("arch", "machine"), [("amd64", 183), ("arm64", 62), ("amd64", 3)])
def test_a_program_for_another_architecture_is_refused(project, arch, machine):
    write_layer(project, LAYER, arch, files={"extensions/x": elf(machine)})
    with pytest.raises(UsageError, match="another architecture") as caught:
        load(project, arch)
    assert f"ELF machine {machine}" in caught.value.why
