"""Attaches an instrumentation at the moment its library has been imported, and imports nothing for a library that is not."""

import sys

from . import quick
from .say import cause, say

# A line each: the module whose import ends with the attaching; the name in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS; the instrumentor.
TABLE = (
    ("aiobotocore.client", "aiobotocore", "opentelemetry.instrumentation.botocore", "AiobotocoreInstrumentor"),
    ("aiohttp", "aiohttp-client", "opentelemetry.instrumentation.aiohttp_client", "AioHttpClientInstrumentor"),
    ("asyncpg", "asyncpg", "opentelemetry.instrumentation.asyncpg", "AsyncPGInstrumentor"),
    ("botocore.client", "botocore", "opentelemetry.instrumentation.botocore", "BotocoreInstrumentor"),
    ("grpc", "grpc_client", "opentelemetry.instrumentation.grpc", "GrpcInstrumentorClient"),
    ("grpc.aio", "grpc_aio_client", "opentelemetry.instrumentation.grpc", "GrpcAioInstrumentorClient"),
    ("httpx", "httpx", "opentelemetry.instrumentation.httpx", "HTTPXClientInstrumentor"),
    ("mysql.connector", "mysql", "opentelemetry.instrumentation.mysql", "MySQLInstrumentor"),
    ("MySQLdb", "mysqlclient", "opentelemetry.instrumentation.mysqlclient", "MySQLClientInstrumentor"),
    ("psycopg", "psycopg", "opentelemetry.instrumentation.psycopg", "PsycopgInstrumentor"),
    ("psycopg2", "psycopg2", "opentelemetry.instrumentation.psycopg2", "Psycopg2Instrumentor"),
    ("pymemcache", "pymemcache", "opentelemetry.instrumentation.pymemcache", "PymemcacheInstrumentor"),
    ("pymongo", "pymongo", "opentelemetry.instrumentation.pymongo", "PymongoInstrumentor"),
    ("pymysql", "pymysql", "opentelemetry.instrumentation.pymysql", "PyMySQLInstrumentor"),
    ("redis", "redis", "opentelemetry.instrumentation.redis", "RedisInstrumentor"),
    ("requests", "requests", "opentelemetry.instrumentation.requests", "RequestsInstrumentor"),
    ("sqlalchemy", "sqlalchemy", "opentelemetry.instrumentation.sqlalchemy", "SQLAlchemyInstrumentor"),
    ("sqlite3", "sqlite3", "opentelemetry.instrumentation.sqlite3", "SQLite3Instrumentor"),
    ("urllib.request", "urllib", "opentelemetry.instrumentation.urllib", "URLLibInstrumentor"),
    ("urllib3", "urllib3", "opentelemetry.instrumentation.urllib3", "URLLib3Instrumentor"),
)


def install(disabled):
    """Attach what is already imported, and wait for the rest; `disabled` are names of the table, or '*'."""
    if "*" in disabled:
        return
    waiting = {}
    for module, name, *instrumentor in TABLE:
        if name in disabled:
            continue
        if module in sys.modules:
            attach(name, *instrumentor)
        else:
            waiting[module] = (name, *instrumentor)
    if waiting:
        sys.meta_path.insert(0, Finder(waiting))


def attach(name, module, attribute):
    """Attach one instrumentation; a failure is one line and the library stays as it is."""
    try:
        from importlib import import_module

        options = {}
        if attribute in ("BotocoreInstrumentor", "AiobotocoreInstrumentor"):
            from . import sending

            options["request_hook"] = sending.request_hook
            sending.install()
        # The check of versions would read every installed package's metadata (54 ms).
        with quick.imports():
            instrumentor = getattr(import_module(module), attribute)
        instrumentor().instrument(skip_dep_check=True, **options)
    except Exception as exc:  # noqa: BLE001 - never break the function
        say(f"{name} is not traced: {cause(exc)}")


class Finder:
    """Stands first in sys.meta_path, lets every import pass but those it waits for, and these it only completes."""

    def __init__(self, waiting):
        """`waiting`: module -> what to attach."""
        self._waiting = waiting

    def find_spec(self, fullname, path=None, target=None):
        """The spec that the other finders give, with the attaching added to the loading."""
        wanted = self._waiting.pop(fullname, None)
        if wanted is None:
            return None
        spec = None
        for finder in sys.meta_path:
            if finder is not self and hasattr(finder, "find_spec"):
                spec = finder.find_spec(fullname, path, target)
                if spec is not None:
                    break
        if spec is None:
            self._waiting[fullname] = wanted  # not there, now: it may be after a change of sys.path
            return None
        loader = spec.loader
        load = getattr(loader, "exec_module", None)
        if load is None:
            return spec

        def exec_module(module):
            del loader.exec_module  # the loader is again as it was
            load(module)
            attach(*wanted)

        try:
            loader.exec_module = exec_module
        except (AttributeError, TypeError):
            say(f"{wanted[0]} is not traced: its loader {type(loader).__name__} cannot be completed")
        return spec
