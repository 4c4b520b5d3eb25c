"""Attaches an instrumentation at the moment its library has been imported, and imports nothing for a library that is not."""

import os
import sys

from . import importing, quick
from .say import cause, say

# A line each: the module whose import ends with the attaching; the name in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS (that of contrib's entry point);
# the instrumentor, in opentelemetry.instrumentation.
TABLE = (
    ("aio_pika", "aio-pika", "aio_pika:AioPikaInstrumentor"),
    ("aiobotocore.client", "aiobotocore", "botocore:AiobotocoreInstrumentor"),
    ("aiohttp", "aiohttp-client", "aiohttp_client:AioHttpClientInstrumentor"),
    ("aiohttp.web", "aiohttp-server", "aiohttp_server:AioHttpServerInstrumentor"),
    ("aiokafka", "aiokafka", "aiokafka:AIOKafkaInstrumentor"),
    ("aiopg", "aiopg", "aiopg:AiopgInstrumentor"),
    ("anthropic", "anthropic", "genai.anthropic:AnthropicInstrumentor"),
    ("asyncio", "asyncio", "asyncio:AsyncioInstrumentor"),
    ("asyncpg", "asyncpg", "asyncpg:AsyncPGInstrumentor"),
    ("botocore.client", "botocore", "botocore:BotocoreInstrumentor"),
    ("cassandra.cluster", "cassandra", "cassandra:CassandraInstrumentor"),
    ("celery.app.base", "celery", "celery:CeleryInstrumentor"),
    ("confluent_kafka", "confluent_kafka", "confluent_kafka:ConfluentKafkaInstrumentor"),
    ("django.core.handlers.base", "django", "django:DjangoInstrumentor"),
    ("fastapi", "fastapi", "fastapi:FastAPIInstrumentor"),
    ("flask", "flask", "flask:FlaskInstrumentor"),
    ("grpc", "grpc_client", "grpc:GrpcInstrumentorClient"),
    ("grpc", "grpc_server", "grpc:GrpcInstrumentorServer"),
    ("grpc", "grpc_aio_client", "grpc:GrpcAioInstrumentorClient"),
    ("grpc", "grpc_aio_server", "grpc:GrpcAioInstrumentorServer"),
    ("httpx", "httpx", "httpx:HTTPXClientInstrumentor"),
    ("jinja2", "jinja2", "jinja2:Jinja2Instrumentor"),
    ("kafka", "kafka", "kafka:KafkaInstrumentor"),
    ("mysql.connector", "mysql", "mysql:MySQLInstrumentor"),
    ("MySQLdb", "mysqlclient", "mysqlclient:MySQLClientInstrumentor"),
    ("openai", "openai", "genai.openai:OpenAIInstrumentor"),
    ("pika", "pika", "pika:PikaInstrumentor"),
    ("psycopg", "psycopg", "psycopg:PsycopgInstrumentor"),
    ("psycopg2", "psycopg2", "psycopg2:Psycopg2Instrumentor"),
    ("pymemcache", "pymemcache", "pymemcache:PymemcacheInstrumentor"),
    ("pymongo", "pymongo", "pymongo:PymongoInstrumentor"),
    ("pymssql", "pymssql", "pymssql:PyMSSQLInstrumentor"),
    ("pymysql", "pymysql", "pymysql:PyMySQLInstrumentor"),
    ("pyramid.config", "pyramid", "pyramid:PyramidInstrumentor"),
    ("redis", "redis", "redis:RedisInstrumentor"),
    ("requests", "requests", "requests:RequestsInstrumentor"),
    ("sqlalchemy", "sqlalchemy", "sqlalchemy:SQLAlchemyInstrumentor"),
    ("sqlite3", "sqlite3", "sqlite3:SQLite3Instrumentor"),
    ("starlette.applications", "starlette", "starlette:StarletteInstrumentor"),
    ("tornado.web", "tornado", "tornado:TornadoInstrumentor"),
    ("tortoise", "tortoiseorm", "tortoiseorm:TortoiseORMInstrumentor"),
    ("urllib.request", "urllib", "urllib:URLLibInstrumentor"),
    ("urllib3", "urllib3", "urllib3:URLLib3Instrumentor"),
)
# Have a module of `patches`, which is attached instead of contrib's unless the SDK runs from the start.
OWN = ("botocore", "requests", "urllib", "urllib3")
# The same for what contrib has nothing better for: always ours.
THREADS = (("threading", "threading", "patches.threads"), ("concurrent.futures.thread", "threading", "patches.futures"))
# It costs every function something and gives most of them nothing: it waits for one of its own variables, or for being named as enabled.
ASKED = {
    "asyncio": tuple(
        f"OTEL_PYTHON_ASYNCIO_{end}" for end in ("COROUTINE_NAMES_TO_TRACE", "TO_THREAD_FUNCTION_NAMES_TO_TRACE", "FUTURE_TRACE_ENABLED")
    ),
}
_CHECKS = "opentelemetry.instrumentation.dependencies"  # contrib's check of versions, which we skip


def install(disabled, enabled=(), contrib=False):
    """
    Attach what is already imported, and wait for the rest.

    The first two are names of the table; '*' disables all, and when some are `enabled` no other is wanted. `contrib`: also where we have our own.
    """
    if "*" in disabled:
        return
    waiting = {_CHECKS: []}
    for module, name, instrumentor in (*TABLE, *THREADS):
        if name in OWN and not contrib:
            instrumentor = "patches." + name
        if name in disabled or (name not in enabled if enabled else not _asked(name)):
            continue
        if module in sys.modules:
            attach(name, instrumentor)
        else:
            waiting.setdefault(module, []).append((name, instrumentor))
    sys.meta_path.insert(0, Finder(waiting))


def _asked(name):
    return name not in ASKED or any(os.environ.get(variable) for variable in ASKED[name])


def attach(name, instrumentor):
    """Attach one instrumentation; a failure is one line and the library stays as it is."""
    try:
        if name in ("django", "starlette"):
            from . import frameworks

            getattr(frameworks, name)(_attach, name, instrumentor)
        else:
            _attach(name, instrumentor)
    except Exception as exc:  # noqa: BLE001 - never break the function
        if name in OWN and isinstance(exc, ImportError) and not instrumentor.startswith("patches."):
            attach(name, "patches." + name)  # contrib's does not fit the OpenTelemetry that the function brings; ours needs none
            return
        if name == "sqlalchemy" and "greenlet" in str(exc):
            return  # contrib's last step is for asyncio, which does without greenlet as little as the library itself
        say(f"{name} is not traced: {cause(exc)}")


def _attach(name, instrumentor):
    from importlib import import_module

    if instrumentor.startswith("patches."):
        import_module("." + instrumentor, __package__).attach()
        return
    if name in ("botocore", "aiobotocore"):
        from . import sending

        sending.install(name)
    module, _, attribute = instrumentor.partition(":")
    # The check of versions would read every installed package's metadata (54 ms).
    with quick.imports():
        found = getattr(import_module("opentelemetry.instrumentation." + module), attribute)
    found().instrument(skip_dep_check=True)


class Finder:
    """Stands first in sys.meta_path, lets every import pass but those it waits for, and these it only completes."""

    def __init__(self, waiting):
        """`waiting`: module -> what to attach, a list."""
        self._waiting = waiting

    def find_spec(self, fullname, path=None, target=None):
        """The spec that the other finders give, with the attaching added to the loading."""
        wanted = self._waiting.pop(fullname, None)
        if wanted is None:
            return None

        @importing.hidden
        def run(load, module):
            if fullname == "fastapi":
                from . import frameworks

                frameworks.fastapi(load, module, self._waiting)
            elif fullname == _CHECKS:
                with quick.requirements():
                    load(module)
            else:
                load(module)
            parent, _, child = fullname.rpartition(".")
            if parent in sys.modules:
                setattr(sys.modules[parent], child, module)  # as the import system does, but only after us
            for each in wanted:
                attach(*each)

        spec, done = importing.completed(self, fullname, path, target, run)
        if spec is None:
            self._waiting[fullname] = wanted  # not there, now: it may be after a change of sys.path
        elif not done:
            for name, _ in wanted:
                say(f"{name} is not traced: its loader {type(spec.loader).__name__} cannot be completed")
        return spec
