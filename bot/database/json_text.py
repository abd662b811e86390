"""How JSON columns are written and read: every turn reads and writes some, so by the quickest library."""

from typing import Any

import orjson


def _text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


# For `create_engine`.
JSON: dict[str, Any] = {"json_serializer": _text, "json_deserializer": orjson.loads}
