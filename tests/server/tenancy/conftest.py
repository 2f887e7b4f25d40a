import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from postgres_cluster import Cluster, programs

_NUMBERS = count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL here: install Debian's package postgresql (make test does so for root)")
    folder = Path(tempfile.mkdtemp(prefix="axk1-pg-"))  # short: a Unix socket's path has 107 bytes at most
    folder.chmod(0o755)
    running = Cluster(folder, found)
    running.start()
    yield running
    running.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'axk1.sqlite3'}"
    running: Cluster = request.getfixturevalue("cluster")
    return running.create(f"test{next(_NUMBERS)}")
