"""Functions of the official SDK behind aiohttp, on the port that --port says."""
import argparse

from aiohttp import web
from statefun import RequestReplyHandler


def serve(functions):
    handler = RequestReplyHandler(functions)

    async def handle(request):
        return web.Response(body=await handler.handle_async(await request.read()),
                            content_type="application/octet-stream")

    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    application = web.Application()
    application.add_routes([web.post("/statefun", handle)])
    web.run_app(application, host="127.0.0.1", port=arguments.parse_args().port, print=None, access_log=None)
