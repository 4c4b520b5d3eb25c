"""GitHub's API as far as the real `gh` needs it for releases, on a socket of this machine; the releases lie where the stand-in for `gh` has them."""

from __future__ import annotations

import http.server
import itertools
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

REPOSITORY = "/repos/somebody/layers/releases"
_KEYS = {"tag_name": "tagName", "draft": "isDraft", "prerelease": "isPrerelease", "name": "name", "body": "body"}


class Releases:
    """The releases in a folder, by the number that each has there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.Lock()  # gh sends several files at once
        self._numbers: dict[Path, int] = {}
        self._next = itertools.count(1)

    def all(self) -> list[Path]:
        return sorted((path for path in self.folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_ctime_ns)

    def number(self, number: int) -> Path:
        return next(path for path in self.all() if self.id(path) == number)

    def id(self, path: Path) -> int:
        if path not in self._numbers:
            self._numbers[path] = next(self._next)
        return self._numbers[path]

    def delete(self, asset: Path) -> None:
        """Away with it; another of its name has another number."""
        asset.unlink()
        del self._numbers[asset]

    def show(self, path: Path) -> dict[str, Any]:
        """One as GitHub tells it."""
        told = json.loads((path / "release.json").read_text())
        url = f"https://api.github.com{REPOSITORY}"
        assets = [
            {"id": self.id(one), "name": one.name, "url": f"{url}/assets/{self.id(one)}", "state": "uploaded", "size": one.stat().st_size}
            for one in sorted(path.glob("assets/*"))
        ]
        urls = {"url": f"{url}/{self.id(path)}", "html_url": "https://github.com/somebody/layers", "assets": assets}
        upload = f"https://uploads.github.com{REPOSITORY}/{self.id(path)}/assets{{?name,label}}"
        return {"id": self.id(path), "upload_url": upload, **urls, **{key: told[own] for key, own in _KEYS.items()}}

    def change(self, path: Path, given: dict[str, Any]) -> None:
        """Set what is `given`, by GitHub's names."""
        path.mkdir(exist_ok=True)
        file = path / "release.json"
        old = json.loads(file.read_text()) if file.exists() else {"isDraft": False, "isPrerelease": False}
        file.write_text(json.dumps({**old, **{_KEYS[key]: value for key, value in given.items() if key in _KEYS}}))


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    releases: Releases

    def address_string(self) -> str:
        return "gh"

    def log_message(self, *_: Any) -> None:
        """Nothing: gh tells."""

    def serve(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        rest = unquote(url.path).removeprefix(REPOSITORY).strip("/")
        try:
            with self.releases.lock:
                status, answer = self.answer(rest if url.path.startswith(REPOSITORY) else url.path, parse_qs(url.query), body)
        except (StopIteration, FileNotFoundError):
            status, answer = 404, {"message": "Not Found"}
        told = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST = do_PATCH = do_DELETE = serve  # noqa: N815 - the base class's names

    def answer(self, rest: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        releases, words = self.releases, rest.split("/")
        if rest == "/graphql":
            asked = json.loads(body)
            if "RepositoryFindRef" in asked["query"]:
                return 200, {"data": {"repository": {"ref": {"id": "there"}}}}
            path = releases.folder / quote(asked["variables"]["tagName"], safe="")
            found = releases.show(path) if path.is_dir() else None
            return 200, {"data": {"repository": {"release": found and {"databaseId": found["id"], "isDraft": found["draft"]}}}}
        if words[0] == "tags":
            found = releases.show(releases.folder / quote("/".join(words[1:]), safe=""))
            return (404, {"message": "Not Found"}) if found["draft"] else (200, found)
        if not rest:
            if self.command == "GET":
                return 200, [releases.show(path) for path in reversed(releases.all())]
            given = json.loads(body)
            path = releases.folder / quote(given["tag_name"], safe="")
            releases.change(path, given)
            return 201, releases.show(path)
        if words[0] == "assets":
            asset = next(one for path in releases.all() for one in path.glob("assets/*") if releases.id(one) == int(words[1]))
            if self.command == "DELETE":
                releases.delete(asset)
                return 204, b""
            return 200, asset.read_bytes()
        path = releases.number(int(words[0]))
        if self.command == "PATCH":
            releases.change(path, json.loads(body))
        elif self.command == "POST":
            (path / "assets").mkdir(exist_ok=True)
            asset = path / "assets" / query["name"][0]
            asset.write_bytes(body)
            return 201, next(one for one in releases.show(path)["assets"] if one["name"] == asset.name)
        return 200, releases.show(path)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """gh asks in two ways at once and hangs up on the slower one."""


@contextmanager
def serving(releases: Path, home: Path) -> Iterator[dict[str, str]]:
    """Variables with which `gh` asks this instead of GitHub, while it lasts."""
    socket = home / "github"  # short: a socket's path has a hundred characters
    handler = type("Handler", (_Handler,), {"releases": Releases(releases)})
    (home / "gh").mkdir()
    (home / "gh/config.yml").write_text(f"http_unix_socket: {socket}\n")
    with _Server(str(socket), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"GH_CONFIG_DIR": str(home / "gh"), "GH_TOKEN": "a token", "GH_REPO": "somebody/layers", "GH_NO_UPDATE_NOTIFIER": "1"}
        server.shutdown()
