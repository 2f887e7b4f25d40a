"""The operator's pages: organisations, projects, keys, limits, usage and the audit log, without JavaScript."""
