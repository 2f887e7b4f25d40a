"""Many organisations on one server: keys, roles, limits, the ledger of what was used, the audit log."""
