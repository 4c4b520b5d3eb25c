"""
From the recorder to the SDK while everything runs: when the function, or an instrumentation, has imported OpenTelemetry.

A finder lets every import pass but those of opentelemetry's modules. When the outermost of them is done the SDK is assembled,
on that thread, before the import statement returns.
"""

import os
import sys
from _thread import _local, allocate_lock

from . import importing, quick
from .say import cause, say

_PACKAGE = "opentelemetry"
_PROPAGATE = _PACKAGE + ".propagate"
_USED = tuple(_PACKAGE + name for name in (".trace", ".context", ".propagate", ".metrics", "._logs"))  # importing one of them is using it


class Finder:
    """Stands first in sys.meta_path until the SDK is there."""

    def __init__(self, folder, assemble):
        """`folder` has our OpenTelemetry; `assemble` makes the SDK of it, or of the function's."""
        self._folder, self._assemble = folder, assemble
        self._deep, self._once = _local(), allocate_lock()

    def find_spec(self, fullname, path=None, target=None):
        """The spec that the other finders give."""
        if not fullname.startswith(_PACKAGE):
            return None
        if fullname == _PACKAGE:
            if self._folder not in sys.path:
                sys.path.append(self._folder)  # behind everything: what the function brings comes first
            return None
        if not fullname.startswith(_PACKAGE + "."):
            return None
        return importing.completed(self, fullname, path, target, self._run)[0]

    @importing.hidden
    def _run(self, load, module):
        depth = getattr(self._deep, "depth", 0)
        self._deep.depth = depth + 1
        try:
            with quick.imports(), unset_propagators(module.__name__ == _PROPAGATE):
                load(module)
        finally:
            self._deep.depth = depth
        if not depth and any(name in sys.modules for name in _USED):
            self.now()

    def now(self):
        """Assemble the SDK; a failure is one line, and the recorder goes on."""
        if not self._once.acquire(blocking=False):
            return
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        try:
            if self._folder not in sys.path:
                sys.path.append(self._folder)
            with quick.imports(), unset_propagators():
                self._assemble()
        except Exception as exc:  # noqa: BLE001 - never break the function
            say(f"the function's own OpenTelemetry spans are missing, because the SDK cannot work with its packages: {cause(exc)}")


class unset_propagators:  # noqa: N801 - reads as `with unset_propagators():`
    """OTEL_PROPAGATORS is unset while opentelemetry.propagate is imported: it would look for plug-ins in the metadata of every package."""

    def __init__(self, needed=True):
        """Unless it is not `needed`."""
        self._asked = os.environ.pop("OTEL_PROPAGATORS", None) if needed else None

    def __enter__(self):
        """Done already."""

    def __exit__(self, *_):
        """Put it back."""
        if self._asked is not None:
            os.environ["OTEL_PROPAGATORS"] = self._asked


def install(folder, assemble, at_once):
    """Wait for the import of opentelemetry, or assemble the SDK `at_once`, with our packages in `folder`."""
    finder = Finder(folder, assemble)
    if at_once or any(name in sys.modules for name in _USED):
        finder.now()
    else:
        sys.meta_path.insert(0, finder)
