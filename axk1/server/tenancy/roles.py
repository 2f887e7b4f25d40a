"""What each role may do. A system administrator may do everything in every organisation; others act in their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from axk1.server.access import Caller, Role
from axk1.server.errors import ApiError

__all__ = ["ACTIONS", "ALLOWED", "ROLES", "Action", "forbidden", "may", "require", "require_key"]

Action = Literal[
    "use_models",
    "read_usage",
    "read_members",  # projects, keys (never secrets) and limits
    "manage_members",  # projects, keys of members and viewers, limits of projects and keys
    "manage_managers",  # keys of owners and admins
    "read_audit",
    "manage_system",  # organisations and their limits
]

ACTIONS: tuple[Action, ...] = get_args(Action)
ROLES: tuple[Role, ...] = get_args(Role)

_MANAGERS: frozenset[Role] = frozenset({"owner", "admin"})
_ADMIN: frozenset[Action] = frozenset({"use_models", "read_usage", "read_members", "manage_members", "read_audit"})
ALLOWED: Mapping[Role, frozenset[Action]] = {
    "owner": _ADMIN | {"manage_managers"},
    "admin": _ADMIN,
    "member": frozenset({"use_models", "read_usage"}),
    "viewer": frozenset({"read_usage"}),
}


def may(caller: Caller, action: Action, organisation: str) -> bool:
    """Whether `caller` may do `action` in `organisation`."""
    return caller.system or (caller.organisation == organisation and action in ALLOWED[caller.role])


def require(caller: Caller, action: Action, organisation: str) -> None:
    """ApiError 403 where `may` says no."""
    if not may(caller, action, organisation):
        raise forbidden(f"a key with the role {caller.role} may not {action.replace('_', ' ')} here")


def require_key(actor: Caller, organisation: str, role: Role, system: bool) -> None:
    """ApiError 403 where `actor` may not make or revoke a key of this role."""
    if system:
        require(actor, "manage_system", organisation)
    require(actor, "manage_managers" if role in _MANAGERS else "manage_members", organisation)


def forbidden(message: str) -> ApiError:
    """403."""
    return ApiError(403, message, "permission_error", code="permission_denied")
