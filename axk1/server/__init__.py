"""The gateway: OpenAI- and Anthropic-compatible HTTP before our engine or other servers, with keys and a web chat."""
