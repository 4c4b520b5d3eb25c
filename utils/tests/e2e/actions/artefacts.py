"""Uploads to and downloads from the artefact server of a run, as version 4 of the actions does: one zip per artefact, over Twirp."""

import base64
import fnmatch
import io
import json
import os
import sys
import urllib.request
import zipfile
from pathlib import Path

BASE = os.environ["ACTIONS_RESULTS_URL"].rstrip("/")
TOKEN = os.environ["ACTIONS_RUNTIME_TOKEN"]


def request(method: str, url: str, body: bytes | None = None, **headers: str) -> bytes:
    asked = urllib.request.Request(url, data=body, method=method, headers=headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=60) as answer:
        return answer.read()


def call(method: str, **arguments: object) -> dict:
    claims = TOKEN.split(".")[1]
    scope = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["scp"]
    _, run, job = next(part for part in scope.split() if part.startswith("Actions.Results:")).split(":")
    body = json.dumps({"workflowRunBackendId": run, "workflowJobRunBackendId": job, **arguments}).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    return json.loads(request("POST", f"{BASE}/twirp/github.actions.results.api.v1.ArtifactService/{method}", body, **headers))


def chosen(where: str) -> list[tuple[Path, str]]:
    """Each file of the folder, or of the lines that name one, with its name in the artefact."""
    if Path(where).is_dir():
        found = [(path, str(path.relative_to(where))) for path in Path(where).rglob("*")]
    else:
        found = [(Path(line.strip()), Path(line).name.strip()) for line in where.splitlines() if line.strip()]
    return sorted((path, name) for path, name in found if path.is_file() and not path.name.startswith("."))


def upload(name: str, where: str, missing: str) -> None:
    files = chosen(where)
    if not files:
        print(f"no file found: {where}")
        sys.exit(1 if missing == "error" else 0)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        for path, inside in files:
            out.write(path, inside)
    body = packed.getvalue()
    made = call("CreateArtifact", name=name, version=4)
    request("PUT", made["signedUploadUrl"] + "&comp=block", body, **{"Content-Type": "application/octet-stream"})
    call("FinalizeArtifact", name=name, size=str(len(body)))
    print(f"{name}: {len(files)} files")


def download(name: str, pattern: str, where: str, *, merge: bool) -> None:
    listed = call("ListArtifacts").get("artifacts", [])
    found = sorted(
        {entry["name"]: entry for entry in listed if entry["name"] == name or (pattern and fnmatch.fnmatch(entry["name"], pattern))}.items()
    )
    if name and not found:
        raise SystemExit(f"there is no artefact {name}")
    for each, entry in found:
        ids = {key: entry[key] for key in ("workflowRunBackendId", "workflowJobRunBackendId")}
        signed = call("GetSignedArtifactURL", **ids, name=each)["signedUrl"]
        with zipfile.ZipFile(io.BytesIO(request("GET", signed))) as source:
            source.extractall(where if merge or name else Path(where) / each)
        print(f"{each}: {where}")


given = os.environ
if sys.argv[1] == "upload":
    upload(given["NAME"], given["WHERE"], given["MISSING"])
else:
    download(given["NAME"], given.get("PATTERN", ""), given["WHERE"], merge=given.get("MERGE") == "true")
