"""
SnapStart: an initialised environment is kept as a snapshot, and every environment that is made of it goes on from there.

The runtime client tells of both moments (snapshot_restore_py); where it does not, the first invocation shows that there was a restore.
"""

import os

from . import export
from .say import cause, say
from .variables import pairs

_STREAM = "AWS_LAMBDA_LOG_STREAM_NAME"


class Snapshot:
    """What is done about the snapshot."""

    __slots__ = ("_delivery", "_hooked", "_resource", "_restored", "_stream")

    def __init__(self, delivery, resource):
        """Made before the function's module is imported: so ours is the last hook before the snapshot, and the first after it."""
        self._delivery, self._resource, self._stream = delivery, resource, os.environ.get(_STREAM)
        self._restored = self._hooked = False
        try:
            from snapshot_restore_py import register_after_restore, register_before_snapshot

            register_before_snapshot(self.before)
            register_after_restore(self.after)
            self._hooked = True
        except ImportError:
            pass  # an older runtime client

    def initialised(self):
        """The function's module has been imported: without hooks this is the last moment before the snapshot."""
        if not self._hooked:
            self.before()

    def before(self):
        """Deliver what is kept, else every restored environment would; leave no connection behind."""
        try:
            self._delivery.flush(export.LONGEST)
            self._delivery.hang_up()
        except Exception as exc:  # noqa: BLE001 - a hook that fails, fails the function
            say(f"what ended before the snapshot may be missing or repeated: {cause(exc)}")

    def after(self):
        """Have a name of one's own, and new connections. Ids come from the kernel, which is random after a restore too."""
        self._restored = True
        try:
            self._delivery.hang_up()
            before, self._stream = self._stream, os.environ.get(_STREAM)
            if "faas.instance" not in pairs(os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")):
                # The log stream's name is part of the snapshot: unless it has been changed, all environments have the same.
                self._resource.change("faas.instance", self._stream if self._stream and self._stream != before else os.urandom(16).hex())
        except Exception as exc:  # noqa: BLE001 - a hook that fails, fails the function
            say(f"faas.instance is that of the snapshot: {cause(exc)}")

    def check(self):
        """At the start of an invocation."""
        if not self._restored or os.environ.get(_STREAM) != self._stream:
            self.after()
