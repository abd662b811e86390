"""The fields of template messages and subscription notices: too long or of a wrong kind, WeChat refuses them all."""

import re
from collections.abc import Mapping

# How many characters each kind of field holds; a longer text is cut, since WeChat would not.
_TEXTS = {"thing": 20, "name": 10, "phrase": 5, "const": 20, "character_string": 32, "letter": 32, "symbol": 5}
_EXACT = {
    "number": re.compile(r"-?\d{1,32}(\.\d+)?"),
    "amount": re.compile(r"[¥$]?\d{1,10}(\.\d{1,2})?元?"),
    "phone_number": re.compile(r"[+0-9-]{3,17}"),
    "car_number": re.compile(r"\w{7,8}"),
    "date": re.compile(r"\d{4}(-\d{1,2}-\d{1,2}|年\d{1,2}月\d{1,2}日)( \d{1,2}:\d{2}(:\d{2})?)?"),
    "time": re.compile(r"(\d{4}(-\d{1,2}-\d{1,2}|年\d{1,2}月\d{1,2}日) )?\d{1,2}:\d{2}(:\d{2})?"),
}
_NAME = re.compile(r"([a-z_]+?)\d{0,3}")
_PRINTABLE_ASCII = re.compile(r"[\x20-\x7e]+")


def filled(values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The `data` of a message from values by field, such as `thing1` or `time2`.

    Raises ValueError for a field that there is not, and for a value that it cannot hold.
    """
    return {field: {"value": _fitting(field, value)} for field, value in values.items()}


def _fitting(field: str, value: str) -> str:
    named = _NAME.fullmatch(field)
    kind, value = named[1] if named else "", " ".join(value.split())
    if kind in _EXACT:
        if not _EXACT[kind].fullmatch(value):
            raise ValueError(f"{field} cannot hold this value")
        return value
    if kind not in _TEXTS:
        raise ValueError(f"there is no kind of field {field}")
    if not value or (kind in ("character_string", "letter") and not _PRINTABLE_ASCII.fullmatch(value)):
        raise ValueError(f"{field} cannot hold this value")
    longest = _TEXTS[kind]
    if len(value) <= longest:
        return value
    return f"{value[: longest - 1]}…" if kind in ("thing", "const") else value[:longest]
