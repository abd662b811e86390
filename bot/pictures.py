"""Pictures that are named where they are mentioned, and drawn when they are sent."""

import io
from base64 import b64encode

_QR = "qr:"
_PIXELS = 8  # for each module of a QR code


def named_qr(text: str) -> str:
    """A name for the QR code of `text`: short, where the picture itself is not."""
    return f"{_QR}{text}"


def drawn(photo: str) -> str:
    """What a message's `photo` shows, base64: itself, or the picture that it names."""
    return b64encode(qr(photo.removeprefix(_QR))).decode() if photo.startswith(_QR) else photo


def qr(text: str) -> bytes:
    """`text` as a QR code: a PNG that a phone's camera reads from another phone's screen."""
    import segno
    from PIL import Image

    # Trying all eight masks takes four fifths of the time, and readers do not care which one it is.
    rows = list(segno.make(text, error="m", micro=False, mask=3).matrix_iter(border=4))
    plain = bytes(0 if dark else 255 for row in rows for dark in row)
    picture = Image.frombytes("L", (len(rows), len(rows)), plain)
    out = io.BytesIO()
    size = len(rows) * _PIXELS
    picture.resize((size, size), Image.Resampling.NEAREST).convert("1").save(out, "PNG")
    return out.getvalue()
