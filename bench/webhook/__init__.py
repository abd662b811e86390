"""Location webhooks a second on one core: ours, and other libraries' bots that do the same minimal work."""
