"""A private PostgreSQL for tests: a cluster in a temporary folder, reached by a Unix socket only."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path


def programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`: of the PATH, or Debian's."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "pg_ctl").exists() and (place / "initdb").exists()), None)


class Cluster:
    """`url` of its one database; it may be stopped and started again. PostgreSQL refuses root: nobody runs it then."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self._bin, self._data = bin_folder, folder / "data"
        self._folder = folder
        self._as: list[str] = []
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self._as = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        self._run("initdb", "-D", str(self._data), "-U", "axk1", "--auth=trust", "-E", "UTF8", "--locale=C", "-N")

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://axk1@/{name}?host={self._folder}"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self._folder}'"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", "immediate", "stop")

    def create(self, name: str) -> str:
        """The URL of a new, empty database."""
        self._run("createdb", "-h", str(self._folder), "-U", "axk1", name)
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self._bin / program), *arguments]
        with (self._folder / "commands").open("ab") as log:  # pg_ctl leaves its child with our output: no pipe
            done = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
        assert done.returncode == 0, (self._folder / "commands").read_text(encoding="utf-8")
