"""Requests made from the OpenAPI page: whatever is sent, no server error."""

import subprocess
import sys
from pathlib import Path

from conftest import Server


def test_no_request_breaks_the_server(server: Server, tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{server.url}/openapi.json"]
    command += ["--checks", "not_a_server_error", "--max-examples", "25", "--seed", "1", "--phases", "examples,fuzzing"]
    command += ["--request-timeout", "60", "--suppress-health-check", "all", "--no-color"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=900)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
