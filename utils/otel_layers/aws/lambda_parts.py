"""What moto's Lambda lacks, added to it: look-up by ARN, code that can be downloaded, several copies of a layer in one copy's memory, speed."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import threading
import urllib.parse
from collections.abc import Iterable
from typing import Any

from .faults import App, Environ, Page, Start

_bytes: dict[str, bytes] = {}  # by SHA-256: the same layer in 34 regions is in memory once
_zips: dict[str, tuple[bytes, int, str, str]] = {}  # what moto makes of a zip, by the word that `slim` puts in its place: the SHA-256 of its base64
_decoding = threading.Lock()
_LARGE = 1 << 16


def install(endpoint: str) -> None:
    """Change moto's Lambda in this process; `endpoint` is where this server is reached."""
    models: Any = importlib.import_module("moto.awslambda.models")
    responses: Any = importlib.import_module("moto.awslambda.responses")
    _share_bytes(models)
    _route_once(importlib.import_module("moto.core.routing"), importlib.import_module("moto.core.responses"))
    _layer_by_arn(responses)
    _locations(models, endpoint)
    _leave_queues_alone(models)
    _run_nothing(models)


def _share_bytes(models: Any) -> None:
    original, taken = models.LayerVersion.__init__, models._zipfile_content

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.content = {"ZipFile": ""}
        self.code_bytes = _bytes.setdefault(self.code_digest, self.code_bytes)

    models.LayerVersion.__init__ = init
    models._zipfile_content = lambda body: _zips.get(body) or taken(body)


def _keep(encoded: memoryview, word: str) -> bool:
    """Have what moto makes of the base64 `encoded` under `word`, once for all regions; False when it is none."""
    with _decoding:
        if word not in _zips:
            try:
                _zips[word] = importlib.import_module("moto.awslambda.models")._zipfile_content(bytes(encoded))
            except ValueError:
                return False
    return True


def _route_once(routing: Any, core: Any) -> None:
    """All regions are asked at once, and each first request would load the service's model and draw up the table of its operations: half a second."""
    routing.ServiceOperationRouter._get_router = _one_at_a_time(routing.ServiceOperationRouter._get_router)
    core.get_service_router = _one_at_a_time(core.get_service_router)


def _one_at_a_time(function: Any) -> Any:
    lock = threading.Lock()

    def wait(*args: Any) -> Any:
        with lock:
            return function(*args)

    return wait


def slim(app: App) -> App:
    """`app`, which is given a word in place of the megabytes of a layer's zip, since moto parses a request several times."""

    def serve(environ: Environ, start: Start) -> Iterable[bytes]:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        if size < _LARGE or environ["REQUEST_METHOD"] != "POST" or not environ["PATH_INFO"].endswith("/versions"):
            return app(environ, start)
        body = environ["wsgi.input"].read(size)
        begin = body.find(b'"', body.find(b":", body.find(b'"ZipFile"'))) + 1
        end = body.find(b'"', begin)
        with memoryview(body)[begin:end] as encoded:
            word = hashlib.sha256(encoded).hexdigest()
            if _keep(encoded, word):
                body = body[:begin] + word.encode() + body[end:]
        return app({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}, start)

    return serve


def _layer_by_arn(responses: Any) -> None:
    def by_arn(self: Any) -> str:
        arn = self.querystring.get("Arn", [""])[0]
        parts = arn.split(":")
        if len(parts) != 8 or not parts[7].isdigit():
            raise responses_error(f"{arn} is not the ARN of a layer version", "ValidationException", 400)
        from moto.awslambda.models import lambda_backends

        backend = lambda_backends[parts[4]][self.region]
        if parts[4] != self.current_account and not _opens(backend, parts[6], parts[7]):
            words = f"User: {self.current_account} is not authorized to perform: lambda:GetLayerVersion on resource: {arn}"
            raise responses_error(words, "AccessDeniedException", 403)
        return json.dumps(backend.get_layer_version(parts[6], parts[7]).get_layer_version())

    listing = responses.LambdaResponse.list_layers
    responses.LambdaResponse.get_layer_version_by_arn = by_arn
    responses.LambdaResponse.list_layers = lambda self: by_arn(self) if "find" in self.querystring else listing(self)


def _opens(backend: Any, name: str, version: str) -> bool:
    """Whether a layer version of an account is every other's too."""
    try:
        statements = backend.get_layer_version(name, version).policy.statements
    except Exception:  # noqa: BLE001 - none there: another account is not told which of the two it is
        return False
    return any(s.get("Effect") == "Allow" and s.get("Principal") in ("*", {"AWS": "*"}) for s in statements)


def responses_error(message: str, kind: str, status: int) -> Exception:
    """An error as Lambda's API returns it."""
    from moto.awslambda.exceptions import LambdaClientError

    error: Exception = LambdaClientError(kind, message)
    error.code = status  # type: ignore[attr-defined]
    return error


def _locations(models: Any, endpoint: str) -> None:
    version, function = models.LayerVersion.get_layer_version, models.LambdaFunction.get_code

    def get_layer_version(self: Any) -> dict[str, Any]:
        found: dict[str, Any] = version(self)
        found["Content"]["Location"] = f"{endpoint}/_embedded/layer/{self.account_id}/{self.region}/{self.name}/{self.version}"
        return found

    def get_code(self: Any) -> dict[str, Any]:
        found: dict[str, Any] = function(self)
        where = f"{endpoint}/_embedded/code/{self.account_id}/{self.region}/{urllib.parse.quote(self.function_name)}"
        found["Code"] = {"RepositoryType": "S3", "Location": where}
        return found

    models.LayerVersion.get_layer_version = get_layer_version
    models.LambdaFunction.get_code = get_code


def _leave_queues_alone(models: Any) -> None:
    """A mapping only says what belongs together: moto would take the messages and fail to run the function."""
    original = models.LambdaBackend.create_event_source_mapping

    def create(self: Any, spec: dict[str, Any]) -> Any:
        from moto.sqs.models import sqs_backends

        mapping = original(self, spec)
        for queue in sqs_backends[self.account_id][self.region_name].queues.values():
            queue.lambda_event_source_mappings.clear()
        return mapping

    models.LambdaBackend.create_event_source_mapping = create


def _run_nothing(models: Any) -> None:
    def invoke(self: Any, **_event: Any) -> tuple[str, bool, str]:
        said = f"the embedded AWS runs no functions; ./run.sh invoke runs {self.function_name}"
        return json.dumps({"errorMessage": said, "errorType": "NotHere"}), True, said

    models.LambdaFunction._invoke_lambda = invoke


def _layer_page(_environ: Environ, rest: str) -> tuple[int, str, bytes]:
    from moto.awslambda.models import lambda_backends

    account, region, name, version = rest.split("/")
    found = lambda_backends[account][region].get_layer_version(name, version)
    return 200, "application/zip", found.code_bytes


def _code_page(_environ: Environ, rest: str) -> tuple[int, str, bytes]:
    from moto.awslambda.models import lambda_backends

    account, region, name = rest.split("/")
    found = lambda_backends[account][region].get_function(urllib.parse.unquote(name))
    return 200, "application/zip", found.code_bytes


PAGES: dict[str, Page] = {"layer/": _layer_page, "code/": _code_page}
