"""Runs migrations on the connection that the program hands in; see bot.database.migrate."""

from typing import Any, Literal

from alembic import context

from bot.database import UtcDateTime
from bot.models import Base


def plain_type(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """Migrations name database types, not ours, so that they stay as they are when ours change."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    render_item=plain_type,
)
context.run_migrations()
