"""wechatpy on aiohttp, as its documentation writes it: check, parse, reply."""

from aiohttp import web
from wechatpy import create_reply, parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import check_signature

from bench.wechat.servers.settings import AES_KEY, APP_ID, HOST, IS_AES, PATH, PORT, TOKEN, answer

crypto = WeChatCrypto(TOKEN, AES_KEY, APP_ID)


async def plain(request: web.Request) -> web.Response:
    query = request.query
    check_signature(TOKEN, query["signature"], query["timestamp"], query["nonce"])
    message = parse_message(await request.read())
    reply = create_reply(answer(message.content), message)
    return web.Response(text=reply.render(), content_type="application/xml")


async def encrypted(request: web.Request) -> web.Response:
    query = request.query
    timestamp, nonce = query["timestamp"], query["nonce"]
    opened = crypto.decrypt_message(await request.read(), query["msg_signature"], timestamp, nonce)
    message = parse_message(opened)
    reply = create_reply(answer(message.content), message)
    sealed = crypto.encrypt_message(reply.render(), nonce, timestamp)
    return web.Response(text=sealed, content_type="application/xml")


def serve() -> None:
    app = web.Application()
    app.router.add_post(PATH, encrypted if IS_AES else plain)
    web.run_app(app, host=HOST, port=PORT, access_log=None, print=None)


if __name__ == "__main__":
    serve()
