"""Delivering the outbox: claim in one transaction, send outside any, record in another."""

from bot.delivery.courier import Courier
from bot.delivery.letters import MAX_TRIES, backoff

__all__ = ["MAX_TRIES", "Courier", "backoff"]
