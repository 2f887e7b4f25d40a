"""How much memory this process could still take: what the machine and its control groups leave."""

from __future__ import annotations

from pathlib import Path

__all__ = ["available_bytes"]

MEMINFO, OWN_GROUPS, GROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def available_bytes(meminfo: Path = MEMINFO, own_groups: Path = OWN_GROUPS, groups: Path = GROUPS) -> int | None:
    """Bytes, pages of files that can be dropped included; None where the system does not say (not Linux)."""
    if not meminfo.is_file():
        return None
    lines = dict(line.split(":", 1) for line in meminfo.read_text(encoding="utf-8").split("\n") if ":" in line)
    if "MemAvailable" not in lines:
        return None
    found = [int(lines["MemAvailable"].split()[0]) << 10]
    if own_groups.is_file():
        for line in own_groups.read_text(encoding="utf-8").split("\n"):
            _, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if controllers in ("", "memory") and path:
                found += _left(groups / "memory" if controllers else groups, path)
    return max(min(found), 0)


def _left(root: Path, path: str) -> list[int]:
    """What each group from this one upwards leaves below its limit."""
    place = root / path.strip("/")
    left = []
    for group in (place, *place.parents):
        limit, used = (
            _number(group, "memory.max", "memory.limit_in_bytes"),
            _number(group, "memory.current", "memory.usage_in_bytes"),
        )
        if limit is not None and used is not None:
            left.append(limit - used + _inactive(group))
        if group == root:
            break
    return left


def _number(group: Path, *names: str) -> int | None:
    for name in names:
        if (group / name).is_file():
            text = (group / name).read_text(encoding="utf-8").strip()
            return int(text) if text.isdigit() else None
    return None


def _inactive(group: Path) -> int:
    """Pages of files that the group counts as used and gives back when memory is short."""
    if not (group / "memory.stat").is_file():
        return 0
    rows = (line.split() for line in (group / "memory.stat").read_text(encoding="utf-8").split("\n") if line)
    found = {name: int(value) for name, value in rows}
    return found.get("total_inactive_file", found.get("inactive_file", 0))
