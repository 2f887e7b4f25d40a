"""Run by Alembic: takes the connection that `migrate` has opened and locked."""

from __future__ import annotations

from alembic import context

if __name__ == "env_py":  # Alembic's name for this file; an ordinary import has no connection
    context.configure(connection=context.config.attributes["connection"])
    context.run_migrations()
