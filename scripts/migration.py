"""Drafts a migration from what the models say today: `python -m scripts.migration "what changes"`."""

import asyncio
import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import Connection

from bot.database import Database, _alembic, migrate


async def draft(message: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/draft.db")
        await migrate(database)

        def autogenerate(connection: Connection) -> None:
            number = f"{len(list(Path('migrations/versions').glob('*.py'))) + 1:04}"
            command.revision(_alembic(connection), message, autogenerate=True, rev_id=number)

        async with database.engine.connect() as connection:
            await connection.run_sync(autogenerate)
        await database.close()


if __name__ == "__main__":
    asyncio.run(draft(" ".join(sys.argv[1:])))
