"""Zips on their way to Lambda, never whole in memory: inside the request, encoded once for all regions, or through a bucket of the region."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .. import archive
from ..errors import UsageError
from .calls import Place, call
from .outcome import Stopped

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from .plan import Item, Plan

_AT_ONCE = 8  # uploads; more of them only share the same line
_MARK = b"here comes the zip, later"  # stands in the request for its bytes until it is sent
_BLOCK = 3 << 18


@dataclass(frozen=True)
class Store:
    """A bucket in each region, for zips that are too large for a direct upload; `bucket` may hold {region} and {account}."""

    bucket: str
    account: str
    connect: Callable[[str], S3Client]

    def name(self, region: str) -> str:
        """The bucket's name in `region`."""
        return self.bucket.replace("{region}", region).replace("{account}", self.account)


def check_store(plan: Plan, bucket: str) -> None:
    """UsageError when a zip of `plan` needs a bucket in each region and `bucket` is none."""
    large = [item for item in plan.items if needs_store(item)]
    if not large:
        return
    why = f"Lambda takes {archive.MAX_ZIPPED:,} in a direct upload, and more only from a bucket of the same region"
    if not bucket:
        raise UsageError(
            f"{large[0].zip} has {large[0].zipped_bytes:,} bytes", why=why, remedy="--bucket NAME, which may hold {region} and {account}"
        )
    if "{region}" not in bucket and len(plan.targets) > 1:
        raise UsageError(f"one bucket, {bucket}, for {len(plan.targets)} regions", why=why, remedy="put {region} into its name")


def needs_store(item: Item) -> bool:
    """Whether the item's zip is too large for a direct upload."""
    return item.zipped_bytes > archive.MAX_ZIPPED


@dataclass
class Uploads:
    """The zips of a plan at their `paths` by layer name, open for as long as this is: what replaces a file meanwhile changes nothing."""

    paths: Mapping[str, Path]
    items: tuple[Item, ...]
    store: Store | None = None
    folder: Path | None = None  # for temporary files (None: the system's)
    _open: dict[str, int] = field(default_factory=dict)
    _texts: dict[str, int] = field(default_factory=dict)  # the zips in base64
    _once: threading.Lock = field(default_factory=threading.Lock)  # while _texts or _signed get one more
    _signed: dict[bytes, str] = field(default_factory=dict)  # SHA-256 of whole requests: the same in all regions
    _stack: ExitStack = field(default_factory=ExitStack)
    _free: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_AT_ONCE))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for item in self.items:
                handle = os.open(self.paths[item.name], os.O_RDONLY | os.O_CLOEXEC)
                stack.callback(os.close, handle)
                if _sha256(_blocks(handle)) != item.sha256:
                    raise UsageError(f"{item.zip} has changed since the plan was made", remedy="run the command again")
                self._open[item.name] = handle
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def content(self, place: Place) -> Iterator[dict[str, Any]]:
        """What PublishLayerVersion is told under Content, while the bytes are where it says."""
        if not self._free.acquire(timeout=place.clock.left()):
            raise Stopped
        try:
            with self._through(place, self.store) if needs_store(place.item) and self.store else self._inside(place) as content:
                yield content
        finally:
            self._free.release()

    @contextmanager
    def _inside(self, place: Place) -> Iterator[dict[str, Any]]:
        handle = self._encoded(place.item.name)

        def stream(params: dict[str, Any], **_: Any) -> None:
            head, _mark, tail = bytes(params["body"]).partition(base64.b64encode(_MARK))
            body = _Body(head, handle, tail)
            with self._once:
                if params["body"] not in self._signed:
                    self._signed[params["body"]] = _sha256(body)
                params["headers"]["X-Amz-Content-SHA256"] = self._signed[params["body"]]
            params["body"] = body

        event, events = "before-call.lambda.PublishLayerVersion", place.client.meta.events
        events.register(event, stream)
        try:
            yield {"ZipFile": _MARK}
        finally:
            events.unregister(event, stream)

    def _encoded(self, name: str) -> int:
        """The zip in base64, as Lambda wants it: a file without a name, made when a region first needs it, for all of them."""
        with self._once:
            if name not in self._texts:
                text = self._stack.enter_context(tempfile.TemporaryFile(dir=self.folder))  # noqa: SIM115 - open as long as this is
                for block in _blocks(self._open[name]):
                    text.write(binascii.b2a_base64(block, newline=False))
                text.flush()
                self._texts[name] = text.fileno()
            return self._texts[name]

    @contextmanager
    def _through(self, place: Place, store: Store) -> Iterator[dict[str, Any]]:
        bucket, key = store.name(place.client.meta.region_name), _key(place.item)
        client = store.connect(place.client.meta.region_name)
        with io.BufferedReader(_Plain(self._open[place.item.name]), _BLOCK) as body:
            call(place.clock, client.put_object, Bucket=bucket, Key=key, Body=body)
        try:
            yield {"S3Bucket": bucket, "S3Key": key}
        finally:
            self.tidy(place)

    def tidy(self, place: Place) -> None:
        """Remove what an upload, of this run or of one that was killed, has left in the region's bucket."""
        if self.store and needs_store(place.item):
            region = place.client.meta.region_name
            call(place.clock, self.store.connect(region).delete_object, Bucket=self.store.name(region), Key=_key(place.item))


def _key(item: Item) -> str:
    return f"opentelemetry-lambda/{item.sha256}/{item.zip}"


def _blocks(handle: int) -> Iterator[bytes]:
    """The file of `handle`, in blocks of whole groups of three bytes but for the last."""
    at = 0
    while block := os.pread(handle, _BLOCK, at):
        yield block
        at += len(block)


def _sha256(blocks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


class _Plain(io.RawIOBase):
    """A file that is read at its own place, so that several readers share one handle."""

    def __init__(self, handle: int) -> None:
        self._handle, self._at, self._size = handle, 0, os.fstat(handle).st_size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        found = os.pread(self._handle, len(buffer), self._at)
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


@dataclass(frozen=True)
class _Body:
    """`head`, the file of `handle`, `tail`: an iterable, since urllib3 reads what has `read` in pieces of 16 kB, each a turn at the interpreter."""

    head: bytes
    handle: int
    tail: bytes

    def __len__(self) -> int:
        return len(self.head) + os.fstat(self.handle).st_size + len(self.tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        yield from _blocks(self.handle)
        yield self.tail
