"""What a text is like: its language, its quality as Korean prose, its register. Measured fast, dropped by policy."""
