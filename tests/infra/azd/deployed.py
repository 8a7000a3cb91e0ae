"""A deployed environment as the hooks after the code see it: outputs, keys, and the app."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.infra.azd.fake_azure import SUBSCRIPTION, FakeAzure, group_id
from tests.infra.azd.test_inputs import ACCOUNT

OUTPUTS_OF_BICEP = {
    "AZURE_ENV_NAME": "dev",
    "AZURE_LOCATION": "swedencentral",
    "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
    "AZURE_RESOURCE_GROUP": "rg-dev",
    "FUNCTION_APP_NAME": "func-x",
    "FUNCTION_APP_ADDRESS": "https://func-x.azurewebsites.net",
    "EVENT_HUBS__fullyQualifiedNamespace": "evhns-x.servicebus.windows.net",
    "COSMOS__accountEndpoint": "https://cosmos-x.documents.azure.com:443/",
    "COSMOS_DATABASE": "ptu",
    "AzureWebJobsStorage__blobServiceUri": "https://stx.blob.core.windows.net/",
    "AZURE_OPENAI_ENDPOINT": "https://acct.openai.azure.com/",
    "AZURE_OPENAI_RESOURCE_ID": ACCOUNT,
    "AZURE_MONITOR_ENDPOINT": "https://swedencentral.metrics.monitor.azure.com",
    "DEPLOYMENTS": '[{"name":"gpt-4.1-ptu","model":"gpt-4.1","ptus":50}]',
    "SPILLOVER_DEPLOYMENTS": "[]",
    "KEY_VAULT_NAME": "kv-x",
    "REQUEST_ID_KEY_URI": "https://kv-x.vault.azure.net/secrets/request-id-key",
}

SITE = f"{group_id('rg-dev')}/providers/Microsoft.Web/sites/func-x"
STORAGE = f"{group_id('rg-dev')}/providers/Microsoft.Storage/storageAccounts/stx"


def keys_url(function: str) -> str:
    return f"{SITE}/functions/{function}/listkeys"


def give_keys(azure: FakeAzure, *functions: str) -> None:
    for one in functions:
        azure.state["resources"][keys_url(one)] = {"default": f"key of {one}"}


class FakeApp:
    """Answers by path, each the next of its list; the last one stays."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: dict[str, list[tuple[int, Any]]] = {"/health": [(200, {"status": "ok"})]}
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        """(method, path, headers with small names, body)."""

    def next(self, path: str) -> tuple[int, Any]:
        answers = self.answers.get(path, [(404, "")])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def paths(self) -> list[str]:
        return [f"{method} {path}" for method, path, _, _ in self.asked]


@contextmanager
def app_that_answers() -> Iterator[FakeApp]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            app.asked.append((self.command, self.path, headers, body))
            status, said = app.next(self.path)
            raw = (said if isinstance(said, str) else json.dumps(said)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    app = FakeApp(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
