"""HTTP functions of every kind the host has to serve."""

import asyncio
import hashlib
import os
import threading
from collections.abc import AsyncIterator

import azure.functions as func
from azurefunctions.extensions.http.fastapi import (
    JSONResponse,
    Request,
    Response,
    StreamingResponse,
)
from fastapi import HTTPException
from starlette.requests import ClientDisconnect

if os.path.exists(os.environ.get("NO_WORKER", "")):
    raise RuntimeError("this worker must not start")

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
disconnects: list[str] = []
steps: asyncio.Queue[int] = asyncio.Queue()


@app.route(route="echo/{name}/{number:int?}", methods=["POST", "PUT"])
async def echo(req: Request, context: func.Context) -> JSONResponse:
    body = await req.body()
    return JSONResponse(
        {
            "method": req.method,
            "params": req.path_params,
            "query": dict(req.query_params),
            "header": req.headers.get("x-test"),
            "bytes": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "function": context.function_name,
            "setting": os.environ.get("GREETING"),
            "pid": os.getpid(),
        },
        headers={"x-answer": "yes"},
    )


@app.route(route="files/{*path}", methods=["GET"])
async def files(req: Request) -> JSONResponse:
    return JSONResponse(req.path_params)


@app.route(route="threaded", methods=["GET"])
def threaded(req: Request) -> JSONResponse:
    return JSONResponse({"thread": threading.current_thread().name})


@app.route(route="empty")
async def empty(req: Request) -> Response:
    return Response(status_code=204)


@app.route(route="ignore", methods=["POST"])
async def ignore(req: Request) -> Response:
    return Response("not read")


@app.route(route="broken", methods=["GET"])
async def broken(req: Request) -> Response:
    raise ValueError("broken on purpose")


@app.route(route="forgotten", methods=["GET"])
async def forgotten(req: Request) -> Response:
    """Returns nothing, as a function whose author forgot to."""
    return None


@app.route(route="refusing", methods=["GET"])
async def refusing(req: Request) -> Response:
    raise HTTPException(418, "a teapot")


@app.route(route="stream", methods=["GET"])
async def stream(req: Request) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        try:
            for number in range(int(req.query_params["pieces"])):
                yield f"piece {number}\n".encode()
                await steps.get()
        except asyncio.CancelledError:
            disconnects.append("stream")
            raise

    length = req.query_params.get("length")
    headers = {"content-length": length} if length else None
    return StreamingResponse(pieces(), headers=headers, media_type="text/plain")


@app.route(route="step", methods=["POST"])
async def step(req: Request) -> Response:
    """Let the stream go on to its next piece."""
    steps.put_nowait(1)
    return Response(status_code=204)


@app.route(route="upload", methods=["POST"])
async def upload(req: Request) -> Response:
    try:
        async for _ in req.stream():
            disconnects.append("upload begun")
    except ClientDisconnect:
        disconnects.append("upload")
        raise
    return Response(status_code=204)


@app.route(route="patient", methods=["GET"])
async def patient(req: Request) -> Response:
    """Works on when its caller has gone, and can tell."""
    disconnects.append("patient begun")
    while (await req.receive())["type"] != "http.disconnect":
        pass
    disconnects.append("patient")
    return Response(status_code=204)


@app.route(route="headers")
async def headers(req: Request) -> JSONResponse:
    answer = JSONResponse([*req.headers.items(), ["client", req.client.host if req.client else ""]])
    answer.raw_headers.extend([(b"x-twice", b"1"), (b"x-twice", b"2")])
    return answer


@app.route(route="disconnects", methods=["GET"])
async def seen_disconnects(req: Request) -> JSONResponse:
    return JSONResponse(disconnects)


@app.route(route="slow", methods=["GET"])
async def slow(req: Request) -> JSONResponse:
    await asyncio.sleep(float(req.query_params.get("seconds", "1")))
    return JSONResponse({"pid": os.getpid()})


@app.route(route="guarded", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def guarded(req: Request) -> Response:
    return Response("function level")


@app.route(route="administered", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
async def administered(req: Request) -> Response:
    return Response("admin level")
