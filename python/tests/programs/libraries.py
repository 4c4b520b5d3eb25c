"""A function that uses the library which the event names, as little as makes a span; each is imported by then only."""

import asyncio
import importlib
import os
import socket
import sys
import threading

sys.path.insert(1, os.environ["LIBRARIES"])
PORT = int(os.environ["HTTP_PORT"])  # answers any request with JSON
NOBODY = int(os.environ["NO_PORT"])  # nothing listens there
HTTP = f"http://127.0.0.1:{PORT}"


def handler(event, context):
    made = USES[event["use"]](**event.get("with", {}))
    return asyncio.run(made) if asyncio.iscoroutine(made) else made


def failed(call, *arguments, **named):
    """The name of the error of a call that cannot succeed, because nothing listens."""
    try:
        call(*arguments, **named)
    except Exception as exc:  # noqa: BLE001 - whichever it is, it is the answer
        return type(exc).__name__
    return "nothing failed"


def flask():
    from flask import Flask

    app = Flask("shop")
    app.add_url_rule("/pets/<name>", view_func=lambda name: f"hello {name}", endpoint="pets")
    return app.test_client().get("/pets/cat?a=b").text


def pyramid():
    from pyramid.config import Configurator
    from pyramid.response import Response

    with Configurator() as config:
        config.add_route("pets", "/pets/{name}")
        config.add_view(lambda request: Response("hello " + request.matchdict["name"]), route_name="pets")
        app = config.make_wsgi_app()
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/pets/cat", "SERVER_NAME": "here", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}
    return b"".join(app(environ, lambda *_: None)).decode()


def django():
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path

    urls = type(sys)("urls")
    urls.urlpatterns = [path("pets/<name>", lambda request, name: HttpResponse(f"hello {name}"))]
    sys.modules["urls"] = urls
    settings.configure(ROOT_URLCONF="urls", ALLOWED_HOSTS=["*"], MIDDLEWARE=())
    app = get_wsgi_application()
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/pets/cat", "SERVER_NAME": "here", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}
    environ["wsgi.input"] = __import__("io").BytesIO()
    return b"".join(app(environ, lambda *_: None)).decode()


def _through_mangum(app):
    from mangum import Mangum

    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/pets/cat",
        "rawQueryString": "",
        "headers": {"host": "here"},
        "requestContext": {"http": {"method": "GET", "path": "/pets/cat", "sourceIp": "1.2.3.4", "protocol": "HTTP/1.1"}},
        "isBase64Encoded": False,
    }
    return Mangum(app, lifespan="off")(event, {})["body"]


def starlette():
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def pets(request):
        return PlainTextResponse("hello " + request.path_params["name"])

    return _through_mangum(Starlette(routes=[Route("/pets/{name}", pets)]))


def fastapi():
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/pets/{name}")
    def pets(name: str):
        return f"hello {name}"

    return _through_mangum(app).strip('"')


async def tornado():
    import tornado.web
    from tornado.httpserver import HTTPServer
    from tornado.testing import bind_unused_port

    class Pets(tornado.web.RequestHandler):
        def get(self, name):
            self.write(f"hello {name}")

    listening, port = bind_unused_port()
    server = HTTPServer(tornado.web.Application([("/pets/(.*)", Pets)]))
    server.add_socket(listening)
    found = await _get(port)
    server.stop()
    return found


async def aiohttp_server():
    from aiohttp import web

    async def pets(request):
        return web.Response(text="hello " + request.match_info["name"])

    app = web.Application()
    app.router.add_get("/pets/{name}", pets)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found = await _get(runner.addresses[0][1])
    await runner.cleanup()
    return found


async def _get(port):
    """A plain request, by no client that is traced."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /pets/cat HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.rpartition(b"\r\n\r\n")[2].decode()


async def aiohttp_client():
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(HTTP + "/a") as answer:
        return answer.status


def requests():
    import requests

    return requests.get(HTTP + "/a").status_code


def urllib3():
    import urllib3

    return urllib3.PoolManager().request("GET", HTTP + "/a").status


def urllib():
    import urllib.request

    return urllib.request.urlopen(HTTP + "/a").status


def httpx():
    import httpx

    return httpx.get(HTTP + "/a").status_code


async def aiobotocore():
    from aiobotocore.session import get_session

    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    async with get_session().create_client("sqs", region_name="us-east-1", endpoint_url=HTTP, **keys) as client:
        await client.send_message(QueueUrl=HTTP + "/1/jobs", MessageBody="b")
    return "sent"


def openai():
    import openai

    client = openai.OpenAI(api_key="x", base_url=HTTP + "/openai", max_retries=0)
    return client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hi"}]).choices[0].message.content


def anthropic():
    import anthropic

    client = anthropic.Anthropic(api_key="x", base_url=HTTP + "/anthropic", max_retries=0)
    return client.messages.create(model="claude-x", max_tokens=9, messages=[{"role": "user", "content": "hi"}]).content[0].text


def grpc():
    from concurrent import futures

    import grpc

    def answer(request, context):
        return request

    methods = {"Say": grpc.unary_unary_rpc_method_handler(answer)}
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("pets.Pets", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        said = channel.unary_unary("/pets.Pets/Say")(b"hi")
    server.stop(None).wait()
    return said.decode()


async def grpc_aio():
    import grpc
    import grpc.aio

    async def answer(request, context):
        return request

    methods = {"Say": grpc.unary_unary_rpc_method_handler(answer)}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("pets.Pets", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        said = await channel.unary_unary("/pets.Pets/Say")(b"hi")
    await server.stop(None)
    return said.decode()


def jinja2():
    import jinja2

    return jinja2.Template("hello {{ name }}").render(name="cat")


def sqlalchemy():
    import sqlalchemy

    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        return connection.execute(sqlalchemy.text("select 7")).scalar()


def sqlite3():
    import sqlite3

    return sqlite3.connect(":memory:").cursor().execute("select 7").fetchone()[0]


async def tortoiseorm():
    from tortoise import Tortoise

    await Tortoise.init(db_url="sqlite://:memory:", modules={"models": ["app"]})
    rows = await Tortoise.get_connection("default").execute_query_dict("select 7 as n")
    await Tortoise.close_connections()
    return rows[0]["n"]


def psycopg(name, dsn):
    with importlib.import_module(name).connect(dsn) as connection:
        cursor = connection.cursor()
        cursor.execute("select 7")
        return cursor.fetchone()[0]


async def aiopg(dsn):
    import aiopg

    async with aiopg.connect(dsn) as connection, connection.cursor() as cursor:
        await cursor.execute("select 7")
        return (await cursor.fetchone())[0]


async def asyncpg(dsn):
    import asyncpg

    connection = await asyncpg.connect(dsn)
    found = await connection.fetchval("select 7")
    await connection.close()
    return found


def _mysql():
    """The port of a MySQL server of this process: it speaks the protocol and knows `select`."""
    from mysql_mimic import MysqlServer, Session

    class Pets(Session):
        async def query(self, expression, sql, attrs):
            return [(7,)], ["n"]

    async def serve():
        server = MysqlServer(session_factory=Pets)
        await server.start_server(host="127.0.0.1", port=0)
        ports.append(server._server.sockets[0].getsockname()[1])
        ready.set()
        await server.serve_forever()

    ports, ready = [], threading.Event()
    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    ready.wait(10)
    return ports[0]


def mysql(name):
    connection = importlib.import_module(name).connect(host="127.0.0.1", port=_mysql(), user="me")
    cursor = connection.cursor()
    cursor.execute("select n from pets")
    return cursor.fetchone()[0]


def pymssql():
    import pymssql

    return type(pymssql.connect).__name__  # makes spans of queries, for which it takes a server


def redis():
    import redis

    return failed(redis.Redis(port=NOBODY, socket_timeout=1).get, "key")


def pymemcache():
    from pymemcache.client.base import Client

    return failed(Client(("127.0.0.1", NOBODY)).get, "key")


def pymongo():
    import pymongo

    client = pymongo.MongoClient(port=NOBODY, serverSelectionTimeoutMS=100)
    return [failed(client.pets.cats.find_one), *(type(one).__name__ for one in pymongo.monitoring._LISTENERS.command_listeners)]


def cassandra():
    from cassandra.cluster import Session

    session = Session.__new__(Session)  # a cluster takes a server; a session without one fails as soon as it is used
    return failed(session.execute_async, "select 7")


def celery():
    from celery import Celery

    app = Celery(broker="memory://")
    return app.send_task("pets.feed", args=["cat"]).id is not None


def confluent_kafka():
    import confluent_kafka

    producer = confluent_kafka.Producer({"bootstrap.servers": f"127.0.0.1:{NOBODY}", "log_level": 0})
    producer.produce("pets", b"cat")
    return len(producer)


def kafka():
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=f"127.0.0.1:{NOBODY}", api_version=(2, 5), max_block_ms=50)
    return failed(producer.send, "pets", b"cat")


async def aiokafka():
    import aiokafka

    return type(aiokafka.AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{NOBODY}").send).__name__  # it waits for a broker


def _amqp():
    """The port of an AMQP broker of this process, which says yes to everything; the frames are a library's."""
    from pamqp import body, commands, exceptions, frame, header

    answers = {
        header.ProtocolHeader: lambda _: commands.Connection.Start(
            server_properties={"capabilities": {"publisher_confirms": True}}, mechanisms="PLAIN", locales="en_US"
        ),
        commands.Connection.StartOk: lambda _: commands.Connection.Tune(channel_max=100, frame_max=65536, heartbeat=0),
        body.ContentBody: lambda _: commands.Basic.Ack(delivery_tag=1),
    }

    def serve():
        connection, pending = listening.accept()[0], b""
        while data := connection.recv(65536):
            pending += data
            while pending:
                try:
                    used, channel, found = frame.unmarshal(pending)
                except exceptions.UnmarshalingException:
                    break
                pending = pending[used:]
                if type(found) in answers:
                    connection.sendall(frame.marshal(answers[type(found)](found), channel))
                elif getattr(found, "synchronous", False):
                    group, _, name = found.valid_responses[0].partition(".")
                    connection.sendall(frame.marshal(getattr(getattr(commands, group), name)(), channel))

    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, daemon=True).start()
    return listening.getsockname()[1]


def pika():
    import pika

    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", _amqp())) as connection:
        connection.channel().basic_publish("", "pets", b"cat")
    return "sent"


async def aio_pika():
    import aio_pika

    async with await aio_pika.connect(f"amqp://127.0.0.1:{_amqp()}/") as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange("zoo")
        await exchange.publish(aio_pika.Message(b"cat"), "pets")
    return "sent"


async def asyncio_():
    async def work():
        return 7

    return await asyncio.create_task(work())


def logging():
    import logging

    record = logging.getLogger("x").makeRecord("x", 20, "f", 1, "m", (), None)
    return record.otelTraceID


USES = {
    name.rstrip("_"): value for name, value in list(globals().items()) if callable(value) and name not in ("handler", "failed") and name[0] != "_"
}
