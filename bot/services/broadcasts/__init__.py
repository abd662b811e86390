"""Broadcasts: a notice on its way to an audience."""
