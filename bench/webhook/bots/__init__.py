"""The peers: each the shortest bot its library's own documentation would have you write."""
