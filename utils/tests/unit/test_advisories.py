"""Known advisories for what is in the layers: the real command against a server that answers as OSV does (OSV itself is not reachable here)."""

from __future__ import annotations

import datetime
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from contract.bills import faults
from faults.release_tree import copy_tree, run, write_bill, write_layer
from otel_layers.errors import LayersError, UsageError
from otel_layers.project import Project
from otel_layers.release import advisories, bills, ignored

COLLECTOR, PYTHON = "opentelemetry-collector", "opentelemetry-python"
TODAY = datetime.datetime.now(datetime.UTC).date()
GO, H2, GONE = "GO-2026-0001", "GHSA-aaaa-bbbb-cccc", "PYSEC-2026-9"
RECORDS: dict[str, dict[str, Any]] = {
    GO: {
        "id": GO,
        "modified": "2026-05-01T00:00:00Z",
        "aliases": ["CVE-2026-1000"],
        "summary": "Endless loop in net/http",
        "affected": [
            {
                "package": {"name": "stdlib", "ecosystem": "Go"},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.26.9"}, {"introduced": "1.27.0"}, {"fixed": "1.27.4"}]}],
            },
            {"package": {"name": "golang.org/x/net", "ecosystem": "Go"}, "ranges": [{"type": "SEMVER", "events": [{"fixed": "0.99.0"}]}]},
        ],
    },
    H2: {
        "id": H2,
        "modified": "2026-05-01T00:00:00Z",
        "aliases": ["CVE-2026-2000"],
        "summary": "h2 forgets to count",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}],
        "database_specific": {"severity": "MODERATE"},
        "affected": [
            {
                "package": {"name": "h2", "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "4.4.2"}]}, {"type": "GIT", "events": [{"fixed": "abc"}]}],
            }
        ],
    },
    "PYSEC-2026-2": {
        "id": "PYSEC-2026-2",
        "aliases": ["CVE-2026-2000", H2],
        "affected": [{"package": {"name": "H2", "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "4.4.2"}]}]}],
    },
    GONE: {"id": GONE, "withdrawn": "2026-06-01T00:00:00Z", "affected": [{"package": {"name": "h2", "ecosystem": "PyPI"}}]},
    "GHSA-none-none-none": {"id": "GHSA-none-none-none", "severity": [{"type": "CVSS_V3", "score": "no vector"}], "affected": []},
}


class Osv(ThreadingHTTPServer):
    """An OSV server that knows `known`: ids by ecosystem, name and version."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.known: dict[tuple[str, str, str], list[str]] = {}
        self.queries: list[dict[str, Any]] = []
        self.page = 100
        self.broken: list[tuple[int, bytes]] = []  # what the next requests are answered with

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Osv

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        if self.path != "/v1/querybatch" or len(asked) > 1000:
            self.answer(400, {"code": 3, "message": "Too many queries."})
            return
        self.server.queries += asked
        results = []
        for query in asked:
            ids = self.server.known.get((query["package"]["ecosystem"], query["package"]["name"], query["version"]), [])
            start = int(query.get("page_token", 0))
            some = [{"id": name, "modified": "2026-05-01T00:00:00Z"} for name in ids[start : start + self.server.page]]
            more = {"next_page_token": str(start + self.server.page)} if start + self.server.page < len(ids) else {}
            results.append({"vulns": some, **more} if some else {})
        self.answer(200, {"results": results})

    def do_GET(self) -> None:
        record = RECORDS.get(self.path.removeprefix("/v1/vulns/"))
        self.answer(200 if record else 404, record or {"code": 5, "message": "Bug not found."})

    def answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        if self.server.broken:
            status, text = self.server.broken.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def osv() -> Iterator[Osv]:
    with Osv() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return copy_tree(tmp_path_factory.mktemp("advisories") / "tree")


@pytest.fixture
def tree(copied: Project) -> Project:
    """A tree with two layers of known contents and nothing judged."""
    for name, purls in ((COLLECTOR, ["pkg:golang/stdlib@v1.27.3", "pkg:golang/example.org/It@v0.1.0"]), (PYTHON, ["pkg:pypi/h2@4.4.1"])):
        write_layer(copied, name, "amd64", version="0.4.0")
        assert faults(write_bill(copied, name, *purls).read_text()) == []
    (copied.root / "advisories.toml").unlink(missing_ok=True)
    return copied


def all_known(osv: Osv) -> None:
    osv.known = {("Go", "stdlib", "1.27.3"): [GO], ("PyPI", "h2", "4.4.1"): [H2, "PYSEC-2026-2", GONE]}


def test_nothing_known(tree: Project, osv: Osv) -> None:
    done = run(tree, "advisories", "--source", osv.url)
    assert (done.returncode, done.stdout) == (0, "no advisory is known for 3 packages of 2 layers\n"), done.stderr
    assert sorted((q["package"]["ecosystem"], q["package"]["name"], q["version"]) for q in osv.queries) == [
        ("Go", "example.org/It", "0.1.0"),
        ("Go", "stdlib", "1.27.3"),
        ("PyPI", "h2", "4.4.1"),
    ]


def test_what_is_known_is_told_with_what_to_do(tree: Project, osv: Osv) -> None:
    all_known(osv)
    done = run(tree, "advisories", "--source", osv.url, "--json", "found.json")
    assert done.returncode == 9
    assert f"2 known advisories for what is inside {COLLECTOR}-amd64, {PYTHON}-amd64" in done.stderr
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in done.stdout.splitlines()[2:]]
    assert rows == [
        ["h2", "4.4.1", f"{PYTHON}-amd64", H2, "high", "4.4.2", "raise it in what pins PyPI packages"],
        ["stdlib", "1.27.3", f"{COLLECTOR}-amd64", GO, "unknown", "1.26.9, 1.27.4", "raise Go in requirements/go.in"],
    ]
    body = json.loads((tree.root / "found.json").read_text())
    assert [(a["id"], a["aliases"], a["ignored"]) for a in body["advisories"]] == [
        (H2, ["CVE-2026-2000", "PYSEC-2026-2"], None),  # two databases, one advisory; the withdrawn one is none
        (GO, ["CVE-2026-1000"], None),
    ]
    assert [(entry["layer"], entry["arch"], entry["packages"]) for entry in body["layers"]] == [(COLLECTOR, "amd64", 2), (PYTHON, "amd64", 1)]


def test_the_file_that_pins_a_package_is_named(tree: Project, osv: Osv) -> None:
    osv.known = {("PyPI", "h2", "4.4.1"): [H2]}
    pins = tree.root / "python/requirements.in"
    pins.parent.mkdir()
    pins.write_text("h2\n")
    try:
        assert "raise it in python/requirements.in" in run(tree, "advisories", "--source", osv.url).stdout
    finally:
        pins.unlink()
        pins.parent.rmdir()


def judge(tree: Project, text: str) -> None:
    (tree.root / "advisories.toml").write_text(text)


def test_what_was_judged_is_told_and_no_failure(tree: Project, osv: Osv) -> None:
    all_known(osv)
    entries = f'[[ignore]]\nid = "CVE-2026-2000"\npackage = "h2"\nreason = "no server"\nuntil = {TODAY}\n'
    judge(tree, entries)
    done = run(tree, "advisories", "--source", osv.url, "--json")
    assert done.returncode == 9  # the other one is not judged
    assert [a["ignored"] for a in json.loads(done.stdout)["advisories"]] == [{"reason": "no server", "until": str(TODAY)}, None]
    judge(tree, f'{entries}[[ignore]]\nid = "{GO}"\nreason = "not reached"\nuntil = {TODAY}\n')
    done = run(tree, "advisories", "--source", osv.url)
    assert (done.returncode, f"ignored until {TODAY}: not reached" in done.stdout) == (0, True), done.stderr
    osv.known = {}
    assert f"{GO} is ignored and not met any more: remove it from advisories.toml" in run(tree, "advisories", "--source", osv.url).stderr


YESTERDAY = TODAY - datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'id = "A-1"\nreason = "why"\nuntil = {YESTERDAY}', f"entry 1, A-1 has ended on {YESTERDAY}"),
        (f'id = "A-1"\nuntil = {TODAY}', "entry 1, A-1 has no reason"),
        (f'id = "A-1"\nreason = " "\nuntil = {TODAY}', "entry 1, A-1 has no reason"),
        (f'reason = "why"\nuntil = {TODAY}', "entry 1 has no id"),
        ('id = "A-1"\nreason = "why"', "entry 1, A-1: until is None, not a day"),
        (f'id = "A-1"\nreason = "why"\nuntil = "{TODAY}"', "not a day"),
        (f'id = "A-1"\nreason = "why"\nuntil = {TODAY}\nforever = true', "entry 1, A-1: unknown forever"),
        (f'id = "A-1"\nreason = "why"\nuntil = {TODAY}\npackage = ""', "entry 1, A-1 has no package"),
        ("id = ", "cannot be read"),
    ],
)
def test_a_judgement_without_reason_or_day_or_past_its_day_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "advisories.toml"
    path.write_text(f"[[ignore]]\n{text}\n")
    with pytest.raises(UsageError) as caught:
        ignored.load(path, TODAY)
    assert said in caught.value.what


def test_a_past_judgement_ends_the_command_even_when_nothing_is_known(tree: Project, osv: Osv) -> None:
    judge(tree, f'[[ignore]]\nid = "A-1"\nreason = "why"\nuntil = {YESTERDAY}\n')
    done = run(tree, "advisories", "--source", osv.url)
    assert (done.returncode, "A-1 has ended on" in done.stderr, osv.queries) == (2, True, [])


def test_a_receipt_is_about_the_bytes_that_were_published(tree: Project, osv: Osv) -> None:
    all_known(osv)
    assert run(tree, "publish", "--receipt", "receipt.json").returncode == 0
    done = run(tree, "advisories", "receipt.json", "--source", osv.url, "--json")
    assert (done.returncode, len(json.loads(done.stdout)["advisories"])) == (9, 2), done.stderr
    release = tree.root / "release"
    release.mkdir()
    for path in tree.dist.glob("*.cdx.json"):
        path.rename(release / path.name)
    (tree.root / "receipt.json").rename(release / "receipt.json")
    done = run(tree, "advisories", "release/receipt.json", "--source", osv.url, "--json")
    assert (done.returncode, len(json.loads(done.stdout)["advisories"])) == (9, 2), done.stderr
    write_layer(tree, PYTHON, "amd64", version="0.4.0")
    write_bill(tree, PYTHON, "pkg:pypi/h2@4.4.2").rename(release / f"{PYTHON}-amd64.cdx.json")
    done = run(tree, "advisories", "release/receipt.json", "--source", osv.url)
    assert (done.returncode, "of other bytes" in done.stderr, done.stdout) == (2, True, ""), done.stderr


def test_what_no_database_knows_is_said(tree: Project, osv: Osv) -> None:
    path = write_bill(tree, PYTHON, "pkg:generic/small@3.0")
    done = run(tree, "advisories", str(path), "--source", osv.url, "--json")
    assert done.returncode == 0
    assert "knows packages like pkg:generic/small@3.0: it was not checked" in done.stderr
    assert json.loads(done.stdout)["unchecked"] == ["pkg:generic/small@3.0"]


def test_without_layers_there_is_nothing_to_check(tree: Project, osv: Osv) -> None:
    for path in tree.dist.glob("*.cdx.json"):
        path.unlink()
    assert run(tree, "advisories", "--source", osv.url).returncode == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"bomFormat": "CycloneDX"}', '{"bomFormat": "CycloneDX", "metadata": 1}'])
def test_something_else_than_a_bill_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.cdx.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="is not a bill of materials"):
        bills.load(path)


def bill(*packages: bills.Package) -> bills.Bill:
    return bills.Bill("x", "amd64", "1.0.0", "0" * 64, packages)


H2_PACKAGE = bills.Package("PyPI", "h2", "4.4.1", "pkg:pypi/h2@4.4.1")


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisories, "_WAITS", (0.0, 0.0))


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ([(500, b"oops")] * 3, "500 Internal Server Error: oops"),
        ([(429, b"slowly")] * 3, "429"),
        ([(400, b'{"code": 3, "message": "Invalid ecosystem."}')], "Invalid ecosystem."),
        ([(200, b"<html>sign in</html>")], "is not JSON"),
        ([(200, b"[]")], "[]"),
        ([(200, b"{}")], "the answer has no results"),
        ([(200, b'{"results": []}')], "1 packages were asked about, the answer has 0 results"),
        ([(200, b'{"results": [{"vulns": [{}]}]}')], "for pkg:pypi/h2@4.4.1"),
        ([(200, b'{"results": [{"vulns": [{"id": "GHSA-x"}]}]}')], "404 Not Found"),
        ([(200, b'{"results": [{"vulns": [{"id": "A"}]}]}'), (200, b'{"id": "B"}')], "asked for A it tells of 'B'"),
    ],
)
def test_an_answer_that_is_none_is_an_error(osv: Osv, broken: list[tuple[int, bytes]], said: str) -> None:
    osv.broken = list(broken)
    with pytest.raises(LayersError) as caught:
        advisories.find(osv.url, [bill(H2_PACKAGE)])
    assert said in caught.value.why
    assert caught.value.exit_code == 1


@pytest.mark.usefixtures("no_waits")
def test_a_server_that_is_overloaded_for_a_moment_is_asked_again(osv: Osv) -> None:
    all_known(osv)
    osv.broken = [(503, b""), (429, b"")]
    assert [a.id for a in advisories.find(osv.url, [bill(H2_PACKAGE)])] == [H2]


def test_nobody_there_is_never_clean(tree: Project) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = run(tree, "advisories", "--source", f"http://127.0.0.1:{free.getsockname()[1]}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the advisories could not be asked for" in done.stderr


@pytest.mark.parametrize("source", ["file:///etc/passwd", "osv", "http://"])
def test_only_servers_are_asked(source: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a server"):
        advisories.find(source, [bill(H2_PACKAGE)])


def test_many_packages_and_many_advisories_come_in_pages(osv: Osv) -> None:
    all_known(osv)
    osv.page = 1
    many = [bills.Package("npm", f"p{n}", "1.0.0", f"pkg:npm/p{n}@1.0.0") for n in range(2500)]
    assert [a.id for a in advisories.find(osv.url, [bill(H2_PACKAGE, *many)])] == [H2]
    assert len(osv.queries) == 2501 + 2


def test_a_server_whose_pages_never_end_is_an_error(osv: Osv) -> None:
    osv.known, osv.page = {("PyPI", "h2", "4.4.1"): [H2] * 300}, 1
    with pytest.raises(LayersError, match="does not answer as OSV does"):
        advisories.find(osv.url, [bill(H2_PACKAGE)])


def test_a_vector_that_is_none_makes_the_severity_unknown(osv: Osv) -> None:
    osv.known = {("PyPI", "h2", "4.4.1"): ["GHSA-none-none-none"]}
    [one] = advisories.find(osv.url, [bill(H2_PACKAGE)])
    assert (one.severity, one.fixed) == ("UNKNOWN", ())
