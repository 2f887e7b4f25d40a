"""The one chat format: messages, template, parser, sampling parameters and what completes a conversation."""
