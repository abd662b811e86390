"""What bookings, sessions and the waiting list rest on: rows as values, rules, seats, and what people are told."""
