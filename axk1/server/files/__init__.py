"""Files that clients keep on the server: /v1/files."""
