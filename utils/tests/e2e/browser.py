"""Chromium for tests of pages: every host name leads to a server of our own, so that no request goes unseen."""

from __future__ import annotations

import html
import http.server
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDED = pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine (apt-get install chromium)")
HOSTILE = "<script>document.title='pwned'</script><img src=http://elsewhere.example/name onerror=document.title='pwned'>"


@contextmanager
def site(pages: dict[str, str]) -> Iterator[tuple[int, list[str]]]:
    """(port, asked): a server of `pages`; `asked` fills with "HOST PATH" of every request that arrives."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(f"{self.headers['Host'].partition(':')[0]} {self.path}")
            body = pages.get(self.path.partition("?")[0], "").encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1], asked
        finally:
            server.shutdown()
            thread.join()


def arguments(port: int) -> list[str]:
    """Chromium's options that lead all it asks for to `port`."""
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    return [*quiet, "--disable-dev-shm-usage", "--no-proxy-server", f"--host-resolver-rules=MAP * 127.0.0.1:{port}"]


def environment(home: Path) -> dict[str, str]:
    """The variables of a Chromium that keeps what it writes in `home`."""
    return {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home)}


def ours(asked: list[str]) -> list[str]:
    """`asked` without what the browser itself asks its maker, whatever page it shows: the time of day."""
    return [one for one in asked if not one.startswith("clients2.google.com /time/")]


def browse(tmp_path: Path, pages: dict[str, str], address: str) -> tuple[str, list[str], list[str]]:
    """(DOM after the scripts ran, console messages, requests) of a page that nobody touches."""
    with site(pages) as (port, asked):
        # No sandbox: it cannot be had everywhere, and the page is our own.
        command = [CHROMIUM, "--headless", "--no-sandbox", *arguments(port), "--enable-logging=stderr", "--virtual-time-budget=5000"]
        command += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1600,1000", "--dump-dom", f"http://report.example{address}"]
        done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, re.findall(r"CONSOLE[^\n]*", done.stderr), ours(asked)


def title(dom: str) -> str:
    """The title of a dumped page."""
    return html.unescape(re.search(r"<title>(.*?)</title>", dom, re.DOTALL)[1])


@dataclass
class Chromium:
    """A browser that stays, with a server of `pages`."""

    browser: Any
    pages: dict[str, str]
    asked: list[str]

    @contextmanager
    def opened(self, text: str, address: str = "", host: str = "localhost", **context: Any) -> Iterator[Any]:
        """
        A page of `text` at `address` (#hash); `page.told` are its console messages and errors, `page.asked` its requests.

        `host` localhost counts as secure, as https does; any other name does not; file:///... is opened from there instead.
        """
        self.pages["/index.html"] = text
        self.asked.clear()
        own = self.browser.new_context(**context)
        try:
            page = own.new_page()
            page.told, page.asked = [], self.asked
            page.on("console", lambda message: page.told.append(message.text))
            page.on("pageerror", lambda error: page.told.append(str(error)))
            page.set_default_timeout(15_000)
            page.goto((host if host.startswith("file:") else f"http://{host}/index.html") + address)
            yield page
        finally:
            own.close()


@contextmanager
def chromium(home: Path) -> Iterator[Chromium]:
    """Chromium until the end of the block."""
    from playwright.sync_api import sync_playwright

    pages: dict[str, str] = {}
    with site(pages) as (port, asked), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False, args=arguments(port), env=environment(home))
        try:
            yield Chromium(browser, pages, asked)
        finally:
            browser.close()
