"""A corpus as a folder that others can publish, open and check: `write_release`, `check_release`."""
