"""The static files, held in memory under an address that changes with their content."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"

_TEXTS = ("text/", "application/javascript", "application/json", "image/svg+xml")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, and the same squeezed where that helps."""

    body: bytes
    squeezed: bytes | None
    content_type: str


class Assets:
    """All files of a folder under one version, so that modules import each other by relative paths."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): _asset(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }
        digest = hashlib.sha256()
        for name, asset in self._files.items():
            digest.update(f"{name}\0{len(asset.body)}\0".encode())
            digest.update(asset.body)
        self.version = digest.hexdigest()[:12]

    def address(self, name: str) -> str:
        """Where `name` is served; raises KeyError for a file that does not exist."""
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self.version}/{name}"

    async def serve(self, request: web.Request) -> web.Response:
        """A page of an older release asks for its version, gets today's file, and must not keep it."""
        asset = self._files.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound
        is_current = request.match_info["version"] == self.version
        headers = {"Cache-Control": FOREVER if is_current else "no-cache", "Vary": "Accept-Encoding"}
        body = asset.body
        if asset.squeezed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            body = asset.squeezed
            headers["Content-Encoding"] = "gzip"
        charset = "utf-8" if asset.content_type.startswith(_TEXTS) else None
        return web.Response(body=body, content_type=asset.content_type, charset=charset, headers=headers)


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    kind = "text/javascript" if path.suffix in (".js", ".mjs") else mimetypes.guess_type(path.name)[0]
    content_type = kind or "application/octet-stream"
    squeezed = gzip.compress(body, mtime=0) if content_type.startswith(_TEXTS) else None
    return Asset(body, squeezed, content_type)
