"""Our engine as a provider: conversations to prompts, tokens to events."""
