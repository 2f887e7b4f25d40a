"""The official Node client."""

import subprocess
from pathlib import Path

from conftest import Server


def test_node(server: Server) -> None:
    folder = Path(__file__).with_name("node")
    done = subprocess.run(
        ["node", folder / "chat.mjs", server.url, server.model], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
