"""Broadcasts: how fast they go out, what preparing them costs, and whether they keep their promises."""
