"""Nuanxin: a chatbot that finds people who work on the road a warm, open place."""
