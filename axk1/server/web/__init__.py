"""The chat page: built from `web/` by `make web`, served as files."""
