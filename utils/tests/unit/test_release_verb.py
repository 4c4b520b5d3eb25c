"""What the steps of a release refuse, and what they hand on; GitHub's releases are folders here."""

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from e2e import github_api
from otel_layers.cli import main
from otel_layers.cli.verbs.release import read_tag
from otel_layers.errors import UsageError
from otel_layers.project import find_root, open_project
from otel_layers.release import index
from otel_layers.release import receipt as receipts
from otel_layers.release.outcome import Result
from otel_layers.release.plan import Item, Plan, Target

PROJECT = open_project()
CATALOGUE = PROJECT.catalogue
LAYER = next(la for la in CATALOGUE.layers.values() if la.role == "collector")
MINE = CATALOGUE.layers_in(LAYER.folder)
TAG = f"layer-{LAYER.folder}/1.2.3"
PUBLIC = {"isDraft": False, "isPrerelease": False}


@pytest.fixture(params=["stand-in", "gh"])
def releases(request, tmp_path, monkeypatch):
    """Where the releases of this GitHub are, asked by the workflows' stand-in for `gh`, and by the real one where it is installed."""
    (tmp_path / "releases").mkdir()
    if request.param == "gh":
        if not shutil.which("gh"):
            pytest.skip("gh is not installed: apt-get install gh")
        with tempfile.TemporaryDirectory() as short, github_api.serving(tmp_path / "releases", Path(short)) as variables:
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            yield tmp_path / "releases"
        return
    home = find_root() / "utils/tests/e2e/actions/bin"
    monkeypatch.setenv("PATH", f"{home}:/usr/local/bin:/usr/bin:/bin")
    monkeypatch.setenv("STANDIN_STATE", str(tmp_path))
    monkeypatch.setenv("GH_REPO", "somebody/layers")
    yield tmp_path / "releases"


def planned(capsys, *arguments: str) -> dict:
    assert main([*arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_tag_says_folder_version_layers_and_partitions(capsys) -> None:
    made = planned(capsys, "release", "plan", "--tag", TAG)
    assert (made["folder"], made["version"]) == (LAYER.folder, "1.2.3")
    assert [(e["layer"], e["arch"]) for e in made["layers"]["include"]] == [(la.name, arch) for la in MINE for arch in la.architectures]
    assert {entry["config"] for entry in made["layers"]["include"]} == {""}
    default = CATALOGUE.default_partition
    assert made["partitions"]["include"] == [{"partition": default, "home": CATALOGUE.partitions[default], "region": "all"}]


FOLDERS = ["", ".", "all", "nothing", LAYER.sample, f"./{LAYER.folder}", f"{LAYER.folder}/"]
VERSIONS = ["", "1.2", "v1.2.3", "01.2.3", "1.2.3+build", "1.2.3\n", "1.2.3/4", "0.0.0-dev"]


@pytest.mark.parametrize(
    "tag", ["1.2.3", f"layer-{LAYER.folder}", *(f"layer-{f}/1.2.3" for f in FOLDERS), *(f"layer-{LAYER.folder}/{v}" for v in VERSIONS)]
)
def test_what_is_no_release_is_refused(tag) -> None:
    with pytest.raises(UsageError):
        read_tag(PROJECT, tag)


def test_partitions_and_regions_belong_together(capsys) -> None:
    assert [p["partition"] for p in planned(capsys, "release", "plan", "--partition", "all")["partitions"]["include"]] == [*CATALOGUE.partitions]
    other = next(r for r in CATALOGUE.regions.values() if r.partition != CATALOGUE.default_partition)
    [found] = planned(capsys, "release", "plan", "--region", other.name)["partitions"]["include"]
    assert found == {"partition": other.partition, "home": CATALOGUE.partitions[other.partition], "region": other.name}
    for wrong in (["--partition", "nowhere"], ["--region", "nowhere"], ["--region", other.name, "--partition", CATALOGUE.default_partition]):
        assert main(["release", "plan", *wrong]) == 2


def test_a_configuration_is_for_the_collector_without_a_flavour(capsys) -> None:
    config = next((PROJECT.root / LAYER.folder).glob("flavours/*.yaml")).relative_to(PROJECT.root).as_posix()
    entries = planned(capsys, "release", "plan", "--config", config)["layers"]["include"]
    plain = {la.name for la in CATALOGUE.layers.values() if la.role == "collector" and not la.flavour}
    assert {e["layer"] for e in entries if e["config"] == config} == plain
    assert {e["layer"] for e in entries if not e["config"]} == CATALOGUE.layers.keys() - plain
    language = next(la for la in CATALOGUE.layers.values() if la.role == "language")
    for wrong in (["--config", "nowhere.yaml"], ["--config", config, "--tag", TAG]):
        assert main(["release", "plan", *wrong]) == 2
    assert main([language.folder, "release", "plan", "--config", config]) == 2


def test_the_plan_goes_to_the_jobs_that_follow(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "out"))
    made = planned(capsys, "release", "plan", "--tag", TAG, "--github")
    handed = dict(line.split("=", 1) for line in (tmp_path / "out").read_text().splitlines())
    assert handed.keys() == made.keys()
    assert json.loads(handed["layers"]) == made["layers"]


def folder(tmp_path):
    """A release's folder."""
    where = tmp_path / "folder"
    (where / "terraform").mkdir(parents=True)
    (where / "terraform/main.tf").write_text("locals {}\n")
    for name, body in {"notes.md": "What changed\n", "SHA256SUMS": "…\n", "index.json": "{}\n"}.items():
        (where / name).write_text(body)
    return where


def state(releases, tag=TAG) -> dict:
    return json.loads((releases / tag.replace("/", "%2F") / "release.json").read_text())


def test_a_draft_is_made_once_and_then_changed(releases, tmp_path) -> None:
    where = folder(tmp_path)
    assert main(["release", "draft", TAG, str(where)]) == 0
    assert state(releases)["isDraft"]
    assets = releases / TAG.replace("/", "%2F") / "assets"
    assert {path.name for path in assets.iterdir()} == {"notes.md", "SHA256SUMS", "index.json", "folders.zip"}
    (where / "notes.md").write_text("All of it\n")
    assert main(["release", "draft", TAG, str(where)]) == 0
    assert state(releases)["body"] == (assets / "notes.md").read_text() == "All of it\n"
    assert main(["release", "draft", f"{TAG}-rc.1", str(where)]) == 0
    assert (state(releases)["isPrerelease"], state(releases, f"{TAG}-rc.1")["isPrerelease"]) == (False, True)
    assert main(["release", "draft", TAG, str(tmp_path / "nothing")]) == 2


def test_a_public_release_stays_as_it_is(releases, tmp_path, capsys) -> None:
    where = folder(tmp_path)
    assert main(["release", "draft", TAG, str(where)]) == 0
    (releases / TAG.replace("/", "%2F") / "release.json").write_text(json.dumps({**state(releases), **PUBLIC}))
    (where / "notes.md").write_text("Something else\n")
    assert main(["release", "draft", TAG, str(where)]) == 0
    assert "is public already" in capsys.readouterr().err
    assert state(releases)["body"] == "What changed\n"


def receipt(**changed) -> receipts.Receipt:
    """The complete receipt of TAG."""
    region = CATALOGUE.home_region.name
    base = {"language": "any", "role": "collector", "description": "X", "license": "L", "runtimes": (), "architecture": "x86_64", "zip": "x.zip"}
    base |= {"sha256": "ab" * 32, "code_sha256": "q=", "zipped_bytes": 1, "unzipped_bytes": 1, "source_revision": "c" * 40}
    items = tuple(Item(name=f"{la.name}-amd64-1_2_3", layer=la.name, arch="amd64", version="1.2.3", **base) for la in MINE)
    made = receipts.new(replace(Plan("aws", "aws", True, items, (Target(region, True, False),)), **changed), "123456789012")
    for item in made.plan.items:
        made.record(Result(item.name, region, "published", f"arn:{item.name}:1", 1, True))
    return made


def test_only_a_complete_release_is_opened(releases, tmp_path) -> None:
    assert main(["release", "draft", TAG, str(folder(tmp_path))]) == 0
    path = tmp_path / "receipt.json"
    whole = receipt()
    half = receipt()
    half.record(Result(half.plan.items[0].name, half.plan.targets[0].region, "failed", reason="AccessDenied"))
    other = receipt(items=tuple(replace(item, version="1.2.4") for item in whole.plan.items))
    for wrong, code in ((half, 7), (other, 2), (receipt(public=False), 2), (receipt(to="local"), 2), (receipt(items=whole.plan.items[:1]), 2)):
        receipts.save(wrong, path)
        assert main(["release", "open", TAG, str(path)]) == code
        assert state(releases)["isDraft"]
    assert main(["release", "open", TAG]) == 2
    receipts.save(whole, path)
    assert main(["release", "open", TAG, str(path)]) == 0
    assert not state(releases)["isDraft"]
    assert main(["release", "open", TAG, str(path)]) == 0


def entry(name: str, yanked: str = "") -> dict:
    """A layer of an index."""
    wanted = json.loads(index.SCHEMA_FILE.read_text())["properties"]["layers"]["items"]["required"]
    return {**dict.fromkeys(wanted, ""), "name": name, "yanked": yanked}


def make_public(releases, tmp_path, tag: str, *entries: dict) -> None:
    """A public release whose index has these layers."""
    where = folder(tmp_path / tag.replace("/", "-"))
    (where / "index.json").write_text(json.dumps({"schema": index.SCHEMA, "name": tag, "created": "c", "layers": entries}))
    assert main(["release", "draft", tag, str(where)]) == 0
    path = releases / tag.replace("/", "%2F") / "release.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **PUBLIC}))


def test_the_next_release_goes_on_with_all_public_ones(releases, tmp_path) -> None:
    out = tmp_path / "previous.json"
    later = f"layer-{LAYER.folder}/2.0.0"

    def previous() -> dict:
        assert main(["release", "previous", "--output", str(out)]) == 0
        return index.load(out)

    assert main(["release", "draft", TAG, str(folder(tmp_path))]) == 0
    assert (previous()["name"], previous()["layers"]) == (CATALOGUE.name, [])  # a draft does not count
    make_public(releases, tmp_path, TAG, entry("a"))
    make_public(releases, tmp_path, later, entry("b"), entry("a"))
    assert (previous()["name"], [one["name"] for one in previous()["layers"]]) == (later, ["b", "a"])

    # A layer is taken back: its own release says so, and so does every later index.
    changed = tmp_path / TAG.replace("/", "-") / "folder"
    (changed / "index.json").write_text(json.dumps({"schema": index.SCHEMA, "name": TAG, "created": "d", "layers": [entry("a", "loses spans")]}))
    (changed / "notes.md").write_text("Do not use it\n")
    assert main(["release", "update", TAG, str(changed)]) == 0
    assert state(releases)["body"] == "Do not use it\n"
    assert not state(releases)["isDraft"]
    assert {one["name"]: one["yanked"] for one in previous()["layers"]} == {"b": "", "a": "loses spans"}
    assert main(["release", "previous"]) == 2


def test_the_site_is_of_all_public_releases_and_says_what_was_taken_back(releases, tmp_path) -> None:
    where = tmp_path / "site"
    assert main(["release", "site", str(where)]) == 0
    assert json.loads((where / "index.json").read_text())["layers"] == []
    whole = receipt()
    make_public(releases, tmp_path, TAG, *index.make([whole])["layers"])
    assert main(["release", "site", str(where)]) == 0
    page = (where / "index.html").read_text()
    assert all(item.name in page for item in whole.plan.items)
    assert "loses spans" not in page
    whole.yanked = {whole.plan.items[0].name: "loses spans"}
    changed = tmp_path / TAG.replace("/", "-") / "folder"
    (changed / "index.json").write_text(json.dumps(index.make([whole])))
    assert main(["release", "update", TAG, str(changed)]) == 0
    assert main(["release", "site", str(where)]) == 0
    assert "loses spans" in (where / "index.html").read_text()
    assert main(["release", "site"]) == 2
    assert main(["release", "site", str(tmp_path)]) == 2
    assert changed.is_dir()


def test_an_update_never_changes_what_was_published(releases, tmp_path) -> None:
    where = folder(tmp_path)
    (where / "x.zip").write_bytes(b"zip")
    (where / "SHA256SUMS").write_text(f"{'a' * 64}  x.zip\n{'b' * 64}  notes.md\n")
    assert main(["release", "draft", TAG, str(where)]) == 0
    (where / "SHA256SUMS").write_text(f"{'c' * 64}  x.zip\n{'b' * 64}  notes.md\n")
    assert main(["release", "update", TAG, str(where)]) == 2
    (where / "SHA256SUMS").write_text(f"{'d' * 64}  notes.md\n{'a' * 64}  x.zip\n")
    (where / "x.zip").write_bytes(b"another")
    assert main(["release", "update", TAG, str(where)]) == 0
    assets = releases / TAG.replace("/", "%2F") / "assets"
    assert (assets / "x.zip").read_bytes() == b"zip"
    assert (assets / "SHA256SUMS").read_text() == (where / "SHA256SUMS").read_text()
    assert main(["release", "update", f"layer-{LAYER.folder}/9.9.9", str(where)]) == 1
    assert main(["release", "update", TAG, str(tmp_path / "nothing")]) == 2


def test_the_bills_of_each_folders_newest_public_release_are_fetched(releases, tmp_path, monkeypatch) -> None:
    output = tmp_path / "output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(output))
    assert main(["release", "bills", str(tmp_path / "none"), "--github"]) == 0
    assert (list((tmp_path / "none").iterdir()), output.read_text()) == ([], "tags=[]\n")
    where = folder(tmp_path)
    one, other = (f"layer-{name}/" for name in list(dict.fromkeys(la.folder for la in CATALOGUE.layers.values()))[:2])
    public = [one + "1.9.0", one + "1.10.0", one + "1.11.0-rc.1", other + "0.1.0-rc.1", other + "0.1.0-rc.2"]
    for tag in [*public, one + "2.0.0"]:
        for bill in where.glob("*.cdx.json"):
            bill.unlink()
        name = tag.replace("/", "-")
        (where / f"{name}.cdx.json").write_text(json.dumps({"of": tag}))
        assert main(["release", "draft", tag, str(where)]) == 0
        if tag in public:
            (releases / tag.replace("/", "%2F") / "release.json").write_text(json.dumps({**state(releases, tag), **PUBLIC}))
    assert main(["release", "bills", str(tmp_path / "bills"), "--github"]) == 0
    assert {json.loads(path.read_text())["of"] for path in (tmp_path / "bills").iterdir()} == {one + "1.10.0", other + "0.1.0-rc.2"}
    assert json.loads(output.read_text().splitlines()[-1].removeprefix("tags=")) == sorted([one + "1.10.0", other + "0.1.0-rc.2"])
    assert main(["release", "bills", str(tmp_path / "bills")]) == 2
    assert main(["release", "bills"]) == 2


def test_a_missing_program_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["release", "draft", TAG, str(folder(tmp_path))]) == 4
    assert "apt-get install gh" in capsys.readouterr().err
