"""A floor, not a bot: aiohttp reads the request and answers the same text, whatever was said."""

from aiohttp import web

from bench.wechat.servers.settings import HOST, PATH, PORT, answer

BODY = f"<xml><Content><![CDATA[{answer('你好')}]]></Content></xml>".encode()


async def callback(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=BODY, content_type="application/xml")


def serve() -> None:
    app = web.Application()
    app.router.add_post(PATH, callback)
    web.run_app(app, host=HOST, port=PORT, access_log=None, print=None)


if __name__ == "__main__":
    serve()
