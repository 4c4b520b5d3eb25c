"""
What waits for a module of OpenTelemetry's API that not every function imports: each takes milliseconds.

The SDK is there by then.
"""

import sys

from . import importing, quick
from .handover import unset_propagators
from .say import cause, say


class Finder:
    """Stands first in sys.meta_path, and lets every import pass but those that something waits for."""

    def __init__(self):
        """Nothing waits yet."""
        self.waiting = {}

    def find_spec(self, fullname, path=None, target=None):
        """The spec that the other finders give."""
        do = self.waiting.pop(fullname, None)
        if do is None:
            return None

        @importing.hidden
        def run(load, module):
            with quick.imports(), unset_propagators(fullname == "opentelemetry.propagate"):
                load(module)
            try:
                do()
            except Exception as exc:  # noqa: BLE001 - never break the function
                say(f"{fullname} is not the layer's: {cause(exc)}")

        spec, _ = importing.completed(self, fullname, path, target, run)
        if spec is None:
            self.waiting[fullname] = do
        return spec


_finder = Finder()


def after(name, do):
    """Call `do` once the module `name` has been imported: now, when it is there."""
    if name in sys.modules:
        do()
        return
    _finder.waiting[name] = do
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
