"""Known advisories for packages, from a server that speaks OSV's API. What cannot be asked is an error: no answer is never "nothing known"."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from ..errors import LayersError, UsageError
from .bills import Bill, Package

SOURCE = "https://api.osv.dev"
_BATCH = 1000  # queries in a request, OSV's limit
_PAGES = 100  # of one package's advisories: more is a server that never ends
_LIMIT = 30.0  # seconds an answer may take
_WAITS = (1.0, 4.0)  # before a second and a third try


@dataclass(frozen=True)
class Advisory:
    """One advisory that is about one package of some layers."""

    package: Package
    layers: tuple[str, ...]
    id: str
    aliases: tuple[str, ...]
    severity: str  # CRITICAL, HIGH, MEDIUM, LOW, NONE or UNKNOWN
    fixed: tuple[str, ...]
    summary: str

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it has."""
        return (self.id, *self.aliases)


@dataclass
class Server:
    """An OSV server; every failure is a LayersError."""

    source: str
    _records: dict[str, dict[str, Any]] = field(default_factory=dict)

    def ids(self, packages: Sequence[Package]) -> dict[Package, list[str]]:
        """The ids of the advisories for each package."""
        found: dict[Package, list[str]] = {package: [] for package in packages}
        for start in range(0, len(packages), _BATCH):
            left: list[tuple[Package, str]] = [(package, "") for package in packages[start : start + _BATCH]]
            for _ in range(_PAGES):
                left = self._page(left, found)
                if not left:
                    break
            else:
                raise self._odd(f"it has more than {_PAGES} pages of advisories for {left[0][0].purl}")
        return found

    def _page(self, asked: Sequence[tuple[Package, str]], found: Mapping[Package, list[str]]) -> list[tuple[Package, str]]:
        """Add what one request says to `found`; what has a further page, with its token."""
        queries = [
            {"package": {"name": p.name, "ecosystem": p.ecosystem}, "version": p.version, **({"page_token": token} if token else {})}
            for p, token in asked
        ]
        answer = self._ask("/v1/querybatch", {"queries": queries})
        results = answer.get("results")
        if not isinstance(results, list) or len(results) != len(queries):
            raise self._odd(f"{len(queries)} packages were asked about, the answer has {len(results) if isinstance(results, list) else 'no'} results")
        more = []
        for (package, _), result in zip(asked, results, strict=True):
            try:
                found[package].extend(str(entry["id"]) for entry in (result or {}).get("vulns", ()))
                if token := (result or {}).get("next_page_token"):
                    more.append((package, token))
            except (AttributeError, KeyError, TypeError) as exc:
                raise self._odd(f"for {package.purl}: {json.dumps(result)[:200]}") from exc
        return more

    def record(self, name: str) -> dict[str, Any]:
        """The advisory with the id `name`."""
        if name not in self._records:
            record = self._ask(f"/v1/vulns/{quote(name, safe='')}")
            if record.get("id") != name:
                raise self._odd(f"asked for {name} it tells of {record.get('id')!r}")
            self._records[name] = record
        return self._records[name]

    def _odd(self, why: str) -> LayersError:
        return LayersError(f"{self.source} does not answer as OSV does", why=why, remedy="run the command again, or name another --source")

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        url = self.source.rstrip("/") + path
        request = urllib.request.Request(  # noqa: S310 - `find` has looked at the scheme
            url, data=None if body is None else json.dumps(body).encode(), headers={"Content-Type": "application/json", "User-Agent": "otel-layers"}
        )
        for wait in (*_WAITS, None):
            try:
                with urllib.request.urlopen(request, timeout=_LIMIT) as answer:  # noqa: S310
                    said = json.loads(answer.read())
                if not isinstance(said, dict):
                    raise self._odd(f"{path}: {json.dumps(said)[:200]}")
                return said
            except urllib.error.HTTPError as exc:
                with exc:
                    why = f"{exc.code} {exc.reason}: {exc.read()[:300].decode(errors='replace').strip()}"
                again = exc.code == 429 or exc.code >= 500
            except (OSError, http.client.HTTPException) as exc:
                why, again = str(exc) or type(exc).__name__, True
            except ValueError as exc:
                raise self._odd(f"{path} is not JSON: {exc}") from exc
            if wait is None or not again:
                break
            time.sleep(wait)
        raise LayersError(
            f"the advisories could not be asked for: {url}", why=why, remedy="run the command again: without an answer nothing is known to be clean"
        )


def find(source: str, bills: Iterable[Bill]) -> list[Advisory]:
    """Every advisory that `source` knows for what is in `bills`, each once for each package, the worst first."""
    if urlsplit(source).scheme not in ("http", "https") or not urlsplit(source).hostname:
        raise UsageError(f"{source!r} is not the address of a server", remedy=f"--source {SOURCE}")
    server = Server(source)
    where: dict[Package, list[str]] = {}
    for bill in bills:
        for package in bill.packages:
            if package.ecosystem:
                where.setdefault(package, []).append(bill.title)
    found = []
    for package, ids in server.ids(sorted(where)).items():
        records = [record for name in dict.fromkeys(ids) if not (record := server.record(name)).get("withdrawn")]
        found += [_advisory(package, tuple(dict.fromkeys(where[package])), same) for same in _grouped(records)]
    return sorted(found, key=lambda a: (_RANKS.index(a.severity), a.package, a.id))


def _grouped(records: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Records that are about the same thing, told by several databases, together."""
    groups: list[tuple[set[str], list[dict[str, Any]]]] = []
    for record in records:
        names, same = {record["id"], *record.get("aliases", ())}, [record]
        for group in [g for g in groups if g[0] & names]:
            groups.remove(group)
            names, same = names | group[0], [*group[1], *same]
        groups.append((names, same))
    return [same for _, same in groups]


_RANKS = ("CRITICAL", "HIGH", "MEDIUM", "UNKNOWN", "LOW", "NONE")


def _advisory(package: Package, layers: tuple[str, ...], same: Sequence[dict[str, Any]]) -> Advisory:
    ids = sorted(record["id"] for record in same)
    names = {name for record in same for name in (record["id"], *record.get("aliases", ()))}
    severities = [severity for record in same for severity in _severities(record, package)]
    fixed = dict.fromkeys(version for record in same for version in _fixed(record, package))
    summary = next((record["summary"] for record in same if record.get("summary")), "")
    severity = min(severities, key=_RANKS.index, default="UNKNOWN")
    return Advisory(package, layers, ids[0], tuple(sorted(names - {ids[0]})), severity, tuple(fixed), summary)


def _severities(record: Mapping[str, Any], package: Package) -> list[str]:
    """How bad it is: by the CVSS vectors of the record and of what it says of the package, and in the database's own word."""
    from cvss import CVSS2, CVSS3, CVSS4
    from cvss.exceptions import CVSSError

    kinds = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}
    entries = [*record.get("severity", ()), *(entry for affected in _affected(record, package) for entry in affected.get("severity", ()))]
    words = [str(record.get("database_specific", {}).get("severity", ""))]
    for entry in entries:
        if entry.get("type") in kinds:
            try:
                words.append(kinds[entry["type"]](entry["score"]).severities()[0])
            except CVSSError:
                continue  # a vector that is none says nothing
    known = [{"MODERATE": "MEDIUM"}.get(word.upper(), word.upper()) for word in words]
    return [word for word in known if word in _RANKS]


def _fixed(record: Mapping[str, Any], package: Package) -> list[str]:
    """The versions that repair it, of every line of versions that has one."""
    ranges = [entry for affected in _affected(record, package) for entry in affected.get("ranges", ()) if entry.get("type") != "GIT"]
    return [event["fixed"] for entry in ranges for event in entry.get("events", ()) if "fixed" in event]


def _affected(record: Mapping[str, Any], package: Package) -> list[dict[str, Any]]:
    def is_it(affected: Mapping[str, Any]) -> bool:
        told = affected.get("package", {})
        return (told.get("ecosystem", "").partition(":")[0], told.get("name", "").lower()) == (package.ecosystem, package.name.lower())

    return [affected for affected in record.get("affected", ()) if is_it(affected)]
