"""The gateway: OpenAI- and Anthropic-compatible HTTP before our engine or other servers, with keys, quotas and a web chat."""
