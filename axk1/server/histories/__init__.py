"""Conversations of the web chat, kept for a key: /web/api/conversations."""
