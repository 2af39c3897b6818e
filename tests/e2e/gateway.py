"""What stands in front of functions in earnest: a reverse proxy that may end TLS, ask who is there, want a token,
compress, be slow, or be busy. Requests go on to --to, which is an ordinary function server.

What was asked is appended to --seen, a JSON object a line.
"""
import argparse
import asyncio
import gzip
import json
import ssl
import time
import zlib
from email.utils import formatdate
from pathlib import Path

import aiohttp
from aiohttp import web

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--to", required=True, help="URL of the functions")
arguments.add_argument("--seen", help="a file to append to")
arguments.add_argument("--certificate", help="speak TLS: a PEM file, with --key")
arguments.add_argument("--key")
arguments.add_argument("--client-ca", help="ask clients for a certificate of this CA")
arguments.add_argument("--wait", type=float, default=0, help="seconds before a request goes on")
arguments.add_argument("--encoding", choices=("gzip", "deflate", "bomb"), help="compress answers")
arguments.add_argument("--token", help="a file: requests without this bearer token are refused with 401")
arguments.add_argument("--busy", metavar="RETRY-AFTER", help="answer the first request with 429: a number of seconds, "
                       "or 'date' for a date")
options = arguments.parse_args()
at_once = 0
requests = 0


def note(request):
    if options.seen:
        with open(options.seen, "a") as seen:
            seen.write(json.dumps({"time": time.time(), "at_once": at_once, "headers": dict(request.headers)}) + "\n")


def encode(body):
    if options.encoding == "gzip":
        return gzip.compress(body)
    if options.encoding == "deflate":
        return zlib.compress(body)
    return gzip.compress(bytes(64 << 20))


def busy():
    after = formatdate(time.time() + 2, usegmt=True) if options.busy == "date" else options.busy
    return web.Response(status=429, headers={"Retry-After": after})


async def handle(request):
    global at_once, requests
    body = await request.read()
    requests += 1
    at_once += 1
    note(request)
    try:
        if options.busy and requests == 1:
            return busy()
        if options.token and request.headers.get("Authorization") != f"Bearer {Path(options.token).read_text()}":
            return web.Response(status=401)
        await asyncio.sleep(options.wait)
        async with request.app["functions"].post(options.to, data=body) as answer:
            response = web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)
    finally:
        at_once -= 1
    if options.encoding:
        response.body = encode(response.body)
        response.headers["Content-Encoding"] = "deflate" if options.encoding == "deflate" else "gzip"
    return response


async def connect(app):
    async with aiohttp.ClientSession() as app["functions"]:
        yield


def tls():
    if not options.certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.certificate, options.key)
    if options.client_ca:
        context.load_verify_locations(options.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


if __name__ == "__main__":
    application = web.Application(client_max_size=64 << 20)
    application.add_routes([web.post("/statefun", handle)])
    application.cleanup_ctx.append(connect)
    web.run_app(application, host="127.0.0.1", port=options.port, ssl_context=tls(), print=None, access_log=None)
