"""The catalogue is read whole, and a wrong key is refused by its name."""

import re
from pathlib import Path

import pytest
from otel_layers import catalog
from otel_layers.errors import CatalogueError, UsageError

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "layers.toml").read_text()


def load(tmp_path: Path, text: str) -> catalog.Catalogue:
    path = tmp_path / "layers.toml"
    path.write_text(text)
    return catalog.load(path)


def test_every_key_is_explained_in_the_file_itself() -> None:
    keys = set(re.findall(r"(?m)(?:^|[{,] ?)([a-z][a-z-]*) = ", TEXT)) - {"name", "license", "architectures", "runtimes"}
    keys -= set(catalog.load(ROOT / "layers.toml").regions) | {"aws", "aws-cn", "aws-us-gov", "aws-eusc"}
    comments = "\n".join(line for line in TEXT.splitlines() if line.startswith("#"))
    assert keys
    assert [k for k in keys if not re.search(rf"\b{k}\b", comments)] == []


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('role = "collector"', 'rule = "collector"', "'role'"),
        ('role = "collector"', 'role = "other"', "'other'"),
        ("zipped-bytes = 3_900_000", 'zipped-bytes = "big"', "'zipped-bytes'"),
        ("zipped-bytes = 3_900_000", "zipped-bytes = 0", "'zipped-bytes'"),
        ("zipped-bytes = 3_900_000", "zipped-bytes = true", "'zipped-bytes'"),
        ('folder = "collector"', 'folder = "collector"\ncolour = "red"', "'colour'"),
        ('architectures = ["amd64", "arm64"]\n\n# One line a layer', 'architectures = ["amd64", "riscv"]\n\n# One line a layer', "'riscv'"),
        ('os = "al2" }', 'os = "al9" }', "'al9'"),
        ('sa-east-1 = { partition = "aws"', 'sa-east-1 = { partition = "mars"', "'mars'"),
        ("sa-east-1 = {", "Sa_East = {", "'Sa_East'"),
        ("at = [-24, -47]", "at = [-94, -47]", "'at'"),
        ("at = [-24, -47]", "at = [-24]", "'at'"),
        ("at = [-24, -47]", 'at = ["-24", "-47"]', "'at'"),
        ("aws-cn = { default = false", "aws-cn = { default = true", "'default'"),
        ('home = "cn-north-1"', 'home = "us-east-1"', "'home'"),
        ('    "custom",', '    "custom", "python3.12",', "'python3.12'"),
        ("[project]", "[projekt]", "'project'"),
        ("[partitions]", "[partitions", "TOML"),
        ("[layers.opentelemetry-python]", "[layers.Open_Telemetry]", "'Open_Telemetry'"),
    ],
)
def test_a_wrong_key_is_refused_by_name(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in TEXT
    with pytest.raises(CatalogueError) as error:
        load(tmp_path, TEXT.replace(old, new, 1))
    assert named in "\n".join(error.value.lines())


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="is not there"):
        catalog.load(tmp_path / "layers.toml")


def test_one_layer_may_not_name_more_runtimes_than_lambda_allows(tmp_path: Path) -> None:
    more = "".join(f'"python4.{i}" = {{ language = "python", os = "al2023" }}\n' for i in range(catalog.MAX_COMPATIBLE_RUNTIMES))
    with pytest.raises(CatalogueError, match="one layer version may name"):
        load(tmp_path, TEXT.replace("[runtimes]\n", "[runtimes]\n" + more))


@pytest.mark.parametrize("spelling", ["amd64", "x86_64", "linux/amd64"])
def test_spellings_of_an_architecture(spelling: str) -> None:
    assert catalog.architecture(spelling).elf == 62


def test_selections() -> None:
    cat = catalog.load(ROOT / "layers.toml")
    assert {r.partition for r in cat.select_regions("all")} == {cat.default_partition}
    assert [r.name for r in cat.select_regions("eu-west-1,us-east-1,eu-west-1")] == ["eu-west-1", "us-east-1"]
    assert [a.name for a in cat.select_architectures("all")] == list(cat.architectures)
    for wrong in ("eu-west-9", "", "eu-west-1,cn-north-1"):
        with pytest.raises(UsageError):
            cat.select_regions(wrong)
    for wrong in ("mips", ""):
        with pytest.raises(UsageError):
            cat.select_architectures(wrong)
    with pytest.raises(UsageError, match="deprecated"):
        cat.runtime(cat.retired[0])
    with pytest.raises(UsageError) as error:
        cat.layer("opentelemetry-pyton")
    assert "opentelemetry-python" in error.value.remedy
