"""A process that adds family members and removes them again until it is killed."""

from multiprocessing.synchronize import Event

from famichat.accounts.sign_in.token import Tokens  # noqa: F401 - forked processes have the models loaded
from famichat.chat.families.membership import add_member, remove_member
from famichat.storage.database import Database


def churn_members(database_url: str, admin_id: str, family_id: str, guest_ids: list[str], begun: Event) -> None:
    """Add each user, then remove each user, in one transaction each, regardless of current members.

    Args:
        database_url: the database.
        admin_id: the admin who removes them.
        family_id: the family.
        guest_ids: the users to add and remove.
        begun: set once the first user is a member.
    """
    database = Database(database_url)
    while True:
        for guest_id in guest_ids:
            database.run(lambda session, it=guest_id: add_member(session, family_id, it, "member"))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            begun.set()
        for guest_id in guest_ids:
            database.run(lambda session, it=guest_id: remove_member(session, admin_id, family_id, it))  # type: ignore[misc]  # as above
