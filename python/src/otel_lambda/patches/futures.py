"""concurrent.futures: what a ThreadPoolExecutor runs continues the trace of what submitted it. Errors are caught inside of what is replaced."""

from .. import tracing
from . import replace


def attach():
    """Work of a ThreadPoolExecutor: the context at `submit()`, since its threads are older than the work."""
    from concurrent.futures.thread import _WorkItem

    def wrap_init(original):
        def init(self, *args, **kwargs):
            original(self, *args, **kwargs)
            self._otel_lambda_context = tracing.capture()

        return init

    def wrap_run(original):
        def run(self, *args):
            context = self.__dict__.pop("_otel_lambda_context", None)
            if context is None:
                return original(self, *args)
            with tracing.resume(context):
                return original(self, *args)

        return run

    replace(_WorkItem, "__init__", wrap_init)
    replace(_WorkItem, "run", wrap_run)
