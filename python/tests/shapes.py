"""Handlers of every shape, and functions that fail in every way: what each does is said here, and must be the same with the layer as without."""

from __future__ import annotations

from several import Case

PLAIN = "def handler(event, context):\n    return [event]\n"
THROUGH = "import functools\ndef through(f):\n    @functools.wraps(f)\n    def inner(*a, **k):\n        return f(*a, **k)\n    return inner\n"
CLASS = "class C:\n    def __init__(self, event, context):\n        self.event = event\n"

# How a handler may be named.
NAMES = {
    "name_slashes": Case(files={"deep/er/slashes.py": PLAIN}, handler="deep/er/slashes.handler", gives=[1]),
    "name_dots": Case(files={"deep2/er/dots.py": PLAIN}, handler="deep2.er.dots.handler", gives=[1]),
    "name_mixed": Case(files={"deep3/er/mixed.py": PLAIN}, handler="deep3/er.mixed.handler", gives=[1]),
    "name_package": Case(files={"whole/__init__.py": "from .inner import handler", "whole/inner.py": PLAIN}, handler="whole.handler", gives=[1]),
    "name_main": Case("import __main__\n" + PLAIN, gives=[1]),
    "name_no_module": Case(handler="nothing.here.handler", gives="!Runtime.ImportModuleError", spans=0),
    "name_no_attribute": Case("x = 1", gives="!Runtime.HandlerNotFound", spans=0),
    "name_nested_attribute": Case(
        "class C:\n    @staticmethod\n    def handler(e, c):\n        return e", handler="{}.C.handler", gives="!Runtime.ImportModuleError"
    ),
    "name_without_dot": Case(PLAIN, handler="{}", gives="!Runtime.MalformedHandlerName", spans=0),
    "name_empty": Case(PLAIN, handler=" ", gives="!Runtime.MalformedHandlerName", spans=0),
    "name_ends_with_dot": Case(PLAIN, handler="{}.", gives="!Runtime.HandlerNotFound", spans=0),
    "name_begins_with_dot": Case(PLAIN, handler=".{}.handler", gives="!TypeError", spans=0),
    "name_only_dot": Case(PLAIN, handler=".", gives="!ValueError", spans=0),
    "name_absolute": Case(PLAIN, handler="/{}.handler", gives="!TypeError", spans=0),
    "name_with_suffix": Case(PLAIN, handler="{}.py.handler", gives="!Runtime.ImportModuleError", spans=0),
    "name_builtin": Case(handler="sys.exit", gives="!Runtime.BuiltInModuleConflict", spans=0),
    "name_private": Case("__handler = lambda e, c: [e]", handler="{}.__handler", gives=[1]),
    "name_module_getattr": Case(
        "def __getattr__(name):\n    if name == 'handler':\n        return lambda e, c: [e]\n    raise AttributeError(name)", gives=[1]
    ),
    "name_module_getattr_fails": Case("def __getattr__(name):\n    raise KeyError(name)", gives="!KeyError", spans=0),
}

# What a handler may be.
KINDS = {
    "kind_function": Case(PLAIN, events=(1, "two", None, {"k": [3]}), gives=[1]),
    "kind_lambda": Case("handler = lambda event, context: [event]", gives=[1]),
    "kind_class": Case(CLASS + "handler = C", gives="!Runtime.MarshalError"),
    "kind_dict_class": Case("class D(dict):\n    def __init__(self, e, c):\n        self['got'] = e\nhandler = D", gives={"got": 1}),
    "kind_instance": Case("class C:\n    def __call__(self, e, c):\n        return [e]\nhandler = C()", gives=[1]),
    "kind_slots_instance": Case("class C:\n    __slots__ = ()\n    def __call__(self, e, c):\n        return [e]\nhandler = C()", gives=[1]),
    "kind_partial": Case("import functools\ndef f(x, e, c):\n    return [x, e]\nhandler = functools.partial(f, 0)", gives=[0, 1]),
    "kind_decorated": Case(THROUGH + "@through\n@through\n" + PLAIN, gives=[1]),
    "kind_bound": Case("class C:\n    def run(self, e, c):\n        return [e]\nhandler = C().run", gives=[1]),
    "kind_static": Case("class C:\n    @staticmethod\n    def run(e, c):\n        return [e]\nhandler = C.run", gives=[1]),
    "kind_class_method": Case("class C:\n    @classmethod\n    def run(cls, e, c):\n        return [e]\nhandler = C.run", gives=[1]),
    "kind_builtin": Case("handler = max", events=((2, 3),), gives="!TypeError", error="TypeError", early=True),
    "kind_cached": Case("import functools\n@functools.lru_cache\n" + PLAIN, events=(7,), gives=[7]),
    "kind_single_dispatch": Case("import functools\n@functools.singledispatch\n" + PLAIN, gives=[1]),
    "kind_async": Case("async def handler(event, context):\n    return 1", gives="!Runtime.MarshalError", says="asyncio.run"),
    "kind_generator": Case("def handler(event, context):\n    yield 1", gives="!Runtime.MarshalError", says="generator"),
    "kind_async_generator": Case("async def handler(event, context):\n    yield 1", gives="!Runtime.MarshalError", says="generator"),
    "kind_text": Case("handler = 'text'", gives="!TypeError", spans=0),
    "kind_none": Case("handler = None", gives="!TypeError", spans=0),
    "kind_module": Case("import json as handler", gives="!TypeError", spans=0),
}

# What its parameters may be.
PARAMETERS = {
    "takes_none": Case("def handler():\n    return 1", gives="!TypeError", error="TypeError", early=True),
    "takes_one": Case("def handler(event):\n    return 1", gives="!TypeError", error="TypeError", early=True),
    "takes_three": Case("def handler(a, b, c):\n    return 1", gives="!TypeError", error="TypeError", early=True),
    "takes_keyword_only": Case("def handler(*, event, context):\n    return 1", gives="!TypeError", error="TypeError", early=True),
    "takes_keyword_more": Case("def handler(a, b, *, c):\n    return 1", gives="!TypeError", error="TypeError", early=True),
    "takes_defaults": Case("def handler(a, b=2, c=3, *, d=4):\n    return [a, c, d]", gives=[1, 3, 4]),
    "takes_all": Case("def handler(*a, **k):\n    return [len(a), len(k)]", gives=[2, 0]),
    "takes_positional": Case("def handler(a, b, /):\n    return [a]", gives=[1]),
    "takes_one_bound": Case(
        "class C:\n    def run(self, e):\n        return e\nhandler = C().run", gives="!TypeError", error="TypeError", early=True
    ),
    "takes_one_instance": Case(
        "class C:\n    def __call__(self, e):\n        return e\nhandler = C()", gives="!TypeError", error="TypeError", early=True
    ),
    "takes_one_class": Case("class C:\n    def __init__(self, e):\n        pass\nhandler = C", gives="!TypeError", error="TypeError", early=True),
    "takes_one_partial": Case(
        "import functools\ndef f(x, e):\n    return e\nhandler = functools.partial(f, 0)", gives="!TypeError", error="TypeError", early=True
    ),
    "takes_one_decorated": Case(THROUGH + "@through\ndef handler(e):\n    return e", gives="!TypeError", error="TypeError"),
}

_RAISE = "def handler(event, context):\n"
# How a function may fail while it runs.
ERRORS = {
    "error_call": Case(
        "class C:\n    def __call__(self, e, c):\n        raise LookupError('no')\nhandler = C()", gives="!LookupError", error="LookupError"
    ),
    "error_deep": Case(
        "def deep(n):\n    return deep(n - 1) if n else 1 / 0\n" + _RAISE + "    deep(5)", gives="!ZeroDivisionError", error="ZeroDivisionError"
    ),
    "error_chained": Case(
        _RAISE + "    try:\n        {}['k']\n    except KeyError as e:\n        raise ValueError('v') from e", gives="!ValueError", error="ValueError"
    ),
    "error_context": Case(_RAISE + "    try:\n        {}['k']\n    finally:\n        int('x')", gives="!ValueError", error="ValueError"),
    "error_twice": Case(
        "E = ValueError('same object')\n" + _RAISE + "    raise E", events=(1, 2, 3), gives="!ValueError", error="ValueError", since="3.11"
    ),
    "error_own_traceback": Case(
        _RAISE + "    try:\n        1 / 0\n    except Exception as e:\n        kept = e\n    raise kept.with_traceback(None)",
        gives="!ZeroDivisionError",
        error="ZeroDivisionError",
    ),
    "error_text_fails": Case(
        "class E(Exception):\n    def __str__(self):\n        raise RuntimeError('str')\n" + _RAISE + "    raise E()",
        gives=(1,),
        error="error_text_fails.E",
    ),
    "error_text_no_text": Case(
        "class E(Exception):\n    def __str__(self):\n        return 5\n" + _RAISE + "    raise E()", gives=(1,), error="error_text_no_text.E"
    ),
    "error_repr_fails": Case(
        "class E(Exception):\n    def __repr__(self):\n        raise RuntimeError('repr')\n" + _RAISE + "    raise E('t')",
        gives="!E",
        error="error_repr_fails.E",
    ),
    "error_many_lines": Case(
        _RAISE + "    raise ValueError('one\\ntwo\\r\\n\\u2028three \\U0001f600 \\x00')", gives="!ValueError", error="ValueError"
    ),
    "error_surrogate": Case(_RAISE + "    raise ValueError('\\udc80')", gives="!ValueError", error="ValueError"),
    "error_group": Case(
        _RAISE + "    import builtins\n    kind = getattr(builtins, 'ExceptionGroup', None)\n"
        "    raise kind('both', [ValueError(1), TypeError(2)]) if kind else ValueError('no groups')",
        gives="!",
    ),
    "error_note": Case(
        _RAISE + "    e = ValueError('v')\n    if hasattr(e, 'add_note'):\n        e.add_note('a note')\n    raise e",
        gives="!ValueError",
        error="ValueError",
    ),
    "error_fault": Case(
        _RAISE + "    from awslambdaric.lambda_runtime_exception import FaultException\n    raise FaultException('Own.Type', 'text', ['a line'])",
        gives="!Own.Type",
    ),
    "error_exit": Case(_RAISE + "    import sys\n    sys.exit(3)", gives=(3,), error="SystemExit"),
    "error_exit_text": Case(_RAISE + "    raise SystemExit('bye')", gives=(1,), error="SystemExit"),
    "error_interrupt": Case(_RAISE + "    raise KeyboardInterrupt", gives=(-2,), error="KeyboardInterrupt"),
    "error_base": Case("class B(BaseException):\n    pass\n" + _RAISE + "    raise B('b')", gives=(1,), error="error_base.B"),
    "error_generator_exit": Case(_RAISE + "    raise GeneratorExit", gives=(1,), error="GeneratorExit"),
    "error_stop": Case(_RAISE + "    raise StopIteration(5)", gives="!StopIteration", error="StopIteration"),
    "error_os_exit": Case(_RAISE + "    import os\n    os._exit(4)", gives=(4,), spans=0),
    "error_killed": Case(_RAISE + "    import os\n    os.kill(os.getpid(), 9)", gives=(-9,), spans=0),
    "error_then_well": Case(
        _RAISE + "    if event == 1:\n        raise OSError(2, 'x', 'f')\n    return event", events=(1, 2, 1), gives="!FileNotFoundError"
    ),
}

# How a module may fail while it is imported.
IMPORTS = {
    "import_missing": Case("import nothing_like_this\n" + PLAIN, gives="!Runtime.ImportModuleError", spans=0),
    "import_name": Case("from os import nothing_like_this\n" + PLAIN, gives="!Runtime.ImportModuleError", spans=0),
    "import_raised": Case("raise ImportError('mine')", gives="!Runtime.ImportModuleError", spans=0),
    "import_syntax": Case("def handler(:\n", gives="!Runtime.UserCodeSyntaxError", spans=0),
    "import_indent": Case("def handler(e, c):\nreturn 1\n", gives="!Runtime.UserCodeSyntaxError", spans=0),
    "import_syntax_deeper": Case(
        "import import_syntax_of_another\n", files={"import_syntax_of_another.py": "x = = 1"}, gives="!Runtime.UserCodeSyntaxError"
    ),
    "import_null_byte": Case("x = '\0'\n", gives="!", spans=0),
    "import_value": Case("def load():\n    raise ValueError('bad')\nload()\n", gives="!ValueError", spans=0),
    "import_attribute": Case("import os\nos.nothing\n", gives="!AttributeError", spans=0),
    "import_key": Case("{}['k']\n", gives="!KeyError", spans=0),
    "import_exit": Case("import sys\nsys.exit(7)\n", gives=(7,), spans=0),
    "import_exit_zero": Case("raise SystemExit\n", gives=(0,), spans=0),
    "import_os_exit": Case("import os\nos._exit(9)\n", gives=(9,), spans=0),
    "import_interrupt": Case("raise KeyboardInterrupt\n", gives=(-2,), spans=0, framed=True),
    "import_memory": Case("raise MemoryError\n", gives="!MemoryError", spans=0),
    "import_chained": Case("try:\n    1 / 0\nexcept Exception as e:\n    raise RuntimeError('r') from e\n", gives="!RuntimeError", spans=0),
    "import_prints": Case("import sys\nprint('out')\nprint('err', file=sys.stderr)\n" + PLAIN, gives=[1]),
    "import_sees_handler": Case("import os\nseen = os.environ['_HANDLER']\ndef handler(e, c):\n    return [seen, os.environ['_HANDLER']]", gives="*"),
    "import_threads": Case("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n" + PLAIN, gives=[1]),
}

_JSON = {"AWS_LAMBDA_LOG_FORMAT": "JSON"}
_LOGS = (
    "import logging, sys\nlogging.getLogger('a.b').warning('at import')\ndef handler(event, context):\n    print('printed', flush=True)\n"
    "    for level in ('debug', 'info', 'warning', 'error'):\n        getattr(logging.getLogger(), level)('%s of %s', level, event)\n"
    "    try:\n        1 / 0\n    except Exception:\n        logging.exception('caught', extra={'key': 'value'})\n"
    "    logging.getLogger('c').setLevel(10)\n    logging.getLogger('c').debug('c')\n"
    "    return [len(logging.getLogger().handlers), logging.getLogger().level]"
)
# What else a function may do.
HABITS = {
    "habit_logs": Case(_LOGS, gives=[1, 30]),
    "habit_logs_json": Case(_LOGS, gives=[1, 30], environment=_JSON),
    "habit_logs_debug": Case(_LOGS, gives=[1, 10], environment={**_JSON, "AWS_LAMBDA_LOG_LEVEL": "DEBUG"}),
    "habit_logs_trace": Case(_LOGS, gives=[1, 10], environment={**_JSON, "AWS_LAMBDA_LOG_LEVEL": "TRACE"}),
    "habit_logs_error": Case(_LOGS, gives=[1, 40], environment={**_JSON, "AWS_LAMBDA_LOG_LEVEL": "ERROR"}),
    "habit_error_json": Case(_RAISE + "    raise ValueError('v')", gives="!ValueError", error="ValueError", environment=_JSON),
    "habit_import_error_json": Case("import nothing_like_this", gives="!Runtime.ImportModuleError", spans=0, environment=_JSON),
    "habit_basic_config": Case("import logging\nlogging.basicConfig(level=10, force=True)\n" + PLAIN, gives=[1]),
    "habit_thread": Case(
        "import threading\nstop = threading.Event()\ndef handler(e, c):\n    threading.Thread(target=stop.wait).start()\n"
        "    return threading.active_count() - 1",
        events=(1, 2),
        gives=1,
    ),
    "habit_process": Case("import subprocess\ndef handler(e, c):\n    return subprocess.Popen(['sleep', '20']).poll()", events=(1, 2), gives=None),
    "habit_fork": Case(
        "import os\ndef handler(e, c):\n    pid = os.fork()\n    if not pid:\n        os._exit(5)\n    return os.waitpid(pid, 0)[1]", gives=1280
    ),
    "habit_asyncio": Case(
        "import asyncio\nasync def work(e):\n    await asyncio.sleep(0)\n    return [e]\ndef handler(e, c):\n    return asyncio.run(work(e))",
        gives=[1],
    ),
    "habit_large": Case("def handler(e, c):\n    return 'x' * (6 * 1024 * 1024 - 2)", gives="*"),
    "habit_unicode": Case("def handler(e, c):\n    return ['\\u00e4\\U0001f600\\u2028', 1e100, 0.1]", gives="*"),
    "habit_surrogate": Case("def handler(e, c):\n    return '\\udc80'", gives="*"),
    "habit_not_a_number": Case("def handler(e, c):\n    return [float('nan'), float('inf')]", gives="*"),
    "habit_decimal": Case("from decimal import Decimal\ndef handler(e, c):\n    return Decimal('1.5')", gives=1.5),
    "habit_bytes": Case("def handler(e, c):\n    return b'bytes'", gives="*"),
    "habit_set": Case("def handler(e, c):\n    return {1}", gives="!Runtime.MarshalError"),
    "habit_circle": Case("def handler(e, c):\n    a = []\n    a.append(a)\n    return a", gives="!Runtime.MarshalError"),
    "habit_nothing": Case("def handler(e, c):\n    pass", gives=None),
    "habit_changes_event": Case(
        "def handler(e, c):\n    e.clear()\n    return e", events=({"Records": [{"eventSource": "aws:sqs", "messageId": "m"}]},), gives={}
    ),
    "habit_context": Case(
        "def handler(e, c):\n    c.mine = 1\n    return [c.function_name, c.aws_request_id, c.memory_limit_in_mb, type(c).__name__, sorted(vars(c))]",
        gives="*",
    ),
    "habit_globals": Case("import sys\ndef handler(e, c):\n    return [sys.getrecursionlimit(), sys.argv, sys.flags.dev_mode]", gives="*"),
    "habit_modules": Case("import __main__, app_of_mine\ndef handler(e, c):\n    return app_of_mine.X", files={"app_of_mine.py": "X = 5"}, gives=5),
}

_SQS = {"Records": [{"messageId": str(n), "body": "{}", "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:1:q"} for n in range(3)]}
_REST = {
    "httpMethod": "GET",
    "path": "/pets/5",
    "resource": "/{proxy+}",
    "headers": {},
    "requestContext": {"stage": "s"},
    "queryStringParameters": None,
}
# Powertools beside the layer; its packages come with the function.
POWERTOOLS = {
    "powertools_logger": Case(
        "from aws_lambda_powertools import Logger\nlogger = Logger(service='s')\n"
        "@logger.inject_lambda_context(log_event=True)\ndef handler(event, context):\n"
        "    logger.info('hello', extra={'a': 1})\n    return [event]",
        events=({"a": 1}, 2),
        gives=[{"a": 1}],
    ),
    "powertools_logger_fails": Case(
        "from aws_lambda_powertools import Logger\nlogger = Logger(service='s')\n@logger.inject_lambda_context(clear_state=True)\n"
        "def handler(event, context):\n    raise ValueError('v')",
        gives="!ValueError",
        error="ValueError",
    ),
    "powertools_tracer": Case(
        "from aws_lambda_powertools import Tracer\ntracer = Tracer(service='s', disabled=True)\n"
        "@tracer.capture_method\ndef work(e):\n    return [e]\n"
        "@tracer.capture_lambda_handler\ndef handler(event, context):\n    return work(event)",
        events=(1, 2),
        gives=[1],
    ),
    "powertools_rest": Case(
        "from aws_lambda_powertools.event_handler import APIGatewayRestResolver\napp = APIGatewayRestResolver()\n@app.get('/pets/<number>')\n"
        "def pet(number):\n    return {'number': number}\ndef handler(event, context):\n    return app.resolve(event, context)",
        events=(_REST, {**_REST, "path": "/nothing"}),
        gives="*",
    ),
    "powertools_batch": Case(
        "from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response\n"
        "processor = BatchProcessor(EventType.SQS)\n"
        "def one(record):\n    if record.message_id == '1':\n        raise ValueError('no')\ndef handler(event, context):\n"
        "    return process_partial_response(event=event, record_handler=one, processor=processor, context=context)",
        events=(_SQS,),
        gives={"batchItemFailures": [{"itemIdentifier": "1"}]},
    ),
    "powertools_metrics": Case(
        "from aws_lambda_powertools import Metrics\nmetrics = Metrics(namespace='n', service='s')\n"
        "@metrics.log_metrics(capture_cold_start_metric=True)\n"
        "def handler(event, context):\n    metrics.add_metric(name='m', unit='Count', value=event)\n    return [event]",
        events=(1, 2),
        gives=[1],
    ),
    "powertools_middleware": Case(
        "from aws_lambda_powertools.middleware_factory import lambda_handler_decorator\n"
        "@lambda_handler_decorator\ndef before(handler, event, context):\n"
        "    return handler([event], context)\n@before\n" + PLAIN,
        gives=[[1]],
    ),
}

CASES = {**NAMES, **KINDS, **PARAMETERS, **ERRORS, **IMPORTS, **HABITS, **POWERTOOLS}
