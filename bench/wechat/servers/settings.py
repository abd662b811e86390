"""What the harness tells a server, by its environment, and the answer that everybody gives."""

import os

HOST = "127.0.0.1"
PORT = int(os.environ.get("BENCH_PORT", "0"))
PATH = "/wechat/callback"
IS_AES = os.environ.get("BENCH_MODE") == "aes"
APP_ID = "wx5823bf96d3bd56c7"
TOKEN = "QDG6eK"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"


def answer(said: str) -> str:
    return f"离你最近的：\n1 爱心驿站 · 营业到 22:00\n2 司机小站 · 24 小时\n({said})"
