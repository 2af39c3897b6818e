"""What stands in front of functions in earnest: a reverse proxy that ends TLS and may ask who is there.

Requests go on to --to, which is an ordinary function server.
"""
import argparse
import ssl

import aiohttp
from aiohttp import web

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--to", required=True, help="URL of the functions")
arguments.add_argument("--certificate", help="speak TLS: a PEM file, with --key")
arguments.add_argument("--key")
arguments.add_argument("--client-ca", help="ask clients for a certificate of this CA")
options = arguments.parse_args()


async def handle(request):
    async with request.app["functions"].post(options.to, data=await request.read()) as answer:
        return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)


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
