"""The migration of files, batches and conversations makes just the tables that the code describes."""

from importlib import import_module

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, inspect

from axk1.server.store.batches import BatchRow
from axk1.server.store.database import Base
from axk1.server.store.files import FileRow, StoredBytes
from axk1.server.store.histories import ConversationRow

OURS = {one.__tablename__ for one in (FileRow, StoredBytes, BatchRow, ConversationRow)}


def test_the_migration_makes_the_tables_of_the_code_and_removes_them() -> None:
    migration = import_module("axk1.server.store.migrations.versions.0003_objects")
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        ours = {"include_name": lambda name, kind, _: kind != "table" or name in OURS}
        ours["include_object"] = lambda one, name, kind, *_: kind != "table" or name in OURS
        context = MigrationContext.configure(connection, opts=ours)
        with Operations.context(context):
            assert len(compare_metadata(context, Base.metadata)) >= len(OURS)
            migration.upgrade()
            assert compare_metadata(context, Base.metadata) == []
            assert set(inspect(connection).get_table_names()) == OURS
            migration.downgrade()
        assert inspect(connection).get_table_names() == []
    engine.dispose()
