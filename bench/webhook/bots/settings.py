"""What the harness tells a peer, by its environment."""

import os

PORT = int(os.environ.get("BENCH_PORT", "0"))
API = os.environ.get("BENCH_API", "")
SECRET = os.environ.get("BENCH_SECRET", "")
TOKEN = os.environ.get("BENCH_TOKEN", "")
PATH = "/telegram/webhook"
HOST = "127.0.0.1"
