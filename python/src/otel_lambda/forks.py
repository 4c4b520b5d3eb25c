"""
Providers of the SDK whose child processes do not hang.

In a child the SDK detects the resource again, with a thread pool; when the function has imported concurrent.futures after the SDK was
assembled, that pool's lock is still held there. Our resource says nothing of the process, so nothing has to be detected.
"""

from threading import Lock


def safe(provider, *locks):
    """A subclass of an SDK's provider class that only makes its `locks` anew in a child."""

    def _handle_fork(self):
        for name in locks:
            setattr(self, name, Lock())

    return type(provider.__name__, (provider,), {"_handle_fork": _handle_fork, "__module__": provider.__module__})
