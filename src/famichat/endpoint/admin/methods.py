"""The methods of the admin socket: each parses its parameters, calls one action as the operator, and returns JSON."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from pydantic import validate_call

from famichat.accounts.user import Newcomer
from famichat.actions import operator
from famichat.actions.accounts import account, devices, invites
from famichat.actions.accounts.reset_links import create_reset_link_by_operator
from famichat.actions.families import (
    change_family_role_by_operator,
    create_family_by_operator,
    remove_family_member_by_operator,
)
from famichat.actions.services import Services
from famichat.chat.records.family import FamilyRole
from famichat.storage.base import rfc3339

Result = dict[str, Any]


class UnknownMethod(LookupError):
    """There is no method with this name."""


class OperatorMethods:
    """Runs the operator's actions by name, with parameters as they come out of JSON.

    Args:
        services: what actions use.
        connections: the number of open connections of clients.
    """

    def __init__(self, services: Services, connections: Callable[[], int]) -> None:
        self._services = services
        self._connections = connections
        self._methods: Mapping[str, Callable[..., Awaitable[Result]]] = {
            "stats": self._stats,
            "user.find": self._find_user,
            "user.add": self._add_user,
            "user.password": self._set_password,
            "user.reset_link": self._create_reset_link,
            "user.sign_out": self._sign_out,
            "user.delete": self._delete_user,
            "family.find": self._find_family,
            "family.add": self._add_family,
            "family.role": self._change_role,
            "family.remove": self._remove_member,
            "invite.create": self._create_invite,
            "invite.revoke": self._revoke_invite,
            "vault.retire": self._retire_vault_key,
        }

    async def call(self, method: str, parameters: Mapping[str, Any]) -> Result:
        """Run a method.

        Raises:
            UnknownMethod: there is no such method.
            pydantic.ValidationError: a parameter is missing, unknown or invalid.
            FamichatError: the action refused.
        """
        if method not in self._methods:
            raise UnknownMethod(method)
        return await validate_call(self._methods[method])(**parameters)

    async def _stats(self) -> Result:
        return {**await operator.statistics(self._services), "connections": self._connections()}

    async def _find_user(self, *, name: str) -> Result:
        found = await operator.find_user_by_operator(self._services, name)
        return {"id": None, "username": None} if found is None else {"id": found.id, "username": found.username}

    async def _add_user(
        self, *, username: str, email: str | None, password: str, family_id: str | None, role: FamilyRole
    ) -> Result:
        newcomer = Newcomer.parse(username, email)
        user_id = await account.add_account_by_operator(self._services, newcomer, password, family_id, role)
        return {"id": user_id, "username": newcomer.username.shown}

    async def _set_password(self, *, user_id: str, password: str) -> Result:
        done = await account.set_password_by_operator(self._services, user_id, password)
        return {"id": done.user_id, "signed_out_devices": len(done.device_ids)}

    async def _create_reset_link(self, *, user_id: str) -> Result:
        created = await create_reset_link_by_operator(self._services, user_id)
        return {"id": user_id, "url": created.url, "expires_at": rfc3339(created.expires_at)}

    async def _sign_out(self, *, user_id: str) -> Result:
        return {"id": user_id, "signed_out_devices": await devices.sign_out_by_operator(self._services, user_id)}

    async def _delete_user(self, *, user_id: str) -> Result:
        await account.delete_account_by_operator(self._services, user_id)
        return {"id": user_id}

    async def _find_family(self, *, name: str) -> Result:
        return {"ids": await operator.find_families_by_operator(self._services, name)}

    async def _add_family(self, *, name: str, admin_id: str) -> Result:
        created = await create_family_by_operator(self._services, name, admin_id)
        return {"id": created.id, "name": created.name, "admin_id": admin_id}

    async def _change_role(self, *, family_id: str, user_id: str, role: FamilyRole) -> Result:
        member = await change_family_role_by_operator(self._services, family_id, user_id, role)
        return {"user_id": member.user_id, "username": member.username, "role": member.role}

    async def _remove_member(self, *, family_id: str, user_id: str) -> Result:
        await remove_family_member_by_operator(self._services, family_id, user_id)
        return {"user_id": user_id}

    async def _create_invite(self, *, family_id: str, role: FamilyRole, days: int) -> Result:
        created = await invites.create_invite_by_operator(self._services, family_id, role, timedelta(days=days))
        return {
            "id": created.invite.id,
            "family_id": created.invite.family_id,
            "role": created.invite.role,
            "created_at": rfc3339(created.invite.created_at),
            "expires_at": rfc3339(created.invite.expires_at),
            "token": created.token,
            "url": created.url,
        }

    async def _revoke_invite(self, *, family_id: str, invite_id: str) -> Result:
        await invites.revoke_invite_by_operator(self._services, family_id, invite_id)
        return {"id": invite_id, "revoked": True}

    async def _retire_vault_key(self, *, version: int) -> Result:
        outcome, left = await operator.retire_vault_key_by_operator(self._services, version)
        return {"outcome": outcome, "left": left}
