"""`famichat shell`: what an operator types, and what a server then does."""

import asyncio
from pathlib import Path

from famichat.storage.data_dir import DataDir
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp
from tests.support.operator import Operator
from tests.support.program import famichat


def test_the_shell_reads_and_writes(at_home: Operator) -> None:
    lines = "print(read(lambda session: session.query(User).one().username))\nprint(callable(write))\n"
    shell = famichat("shell", data_dir=at_home.data_dir, given=lines)

    assert shell.stdout.replace(">>> ", "").split() == ["anna", "True"]


def test_the_shell_creates_all_four_types_and_sends(at_home: Operator) -> None:
    for name in ("emil", "inga"):
        at_home("user", "add", name, "--email", f"{name}@example.org", "--password-stdin", given="a long enough one\n")
    lines = """
from famichat.chat.families.membership import add_member
anna, emil, inga = read(lambda session: [user.id for user in session.query(User).order_by(User.username)])
berg = read(lambda session: session.query(Family).one().id)
added = [write(lambda session: add_member(session, berg, user, "member")) for user in (emil, inga)]
direct = chat.create_direct_conversation(anna, emil)
print(direct == chat.create_direct_conversation(emil, anna))
print(len({direct, chat.create_self_conversation(anna), chat.create_family_conversation(anna)}))
group = chat.create_group_conversation(anna, "Holiday", [emil, inga])
print(chat.send_message(anna, group, "hello"), chat.send_message(emil, group, "hello back"))
"""
    shell = famichat("shell", data_dir=at_home.data_dir, given=lines)

    assert shell.stdout.replace(">>> ", "").split() == ["True", "3", "1", "2"], shell.stderr


def test_the_shell_only_reads_the_database_while_the_server_runs(at_home: Operator) -> None:
    with DataDir(at_home.data_dir).lock():
        shell = famichat("shell", data_dir=at_home.data_dir, given="print('write' in globals(), 'chat' in globals())\n")

    assert "only read(work), because Famichat is running" in shell.stderr
    assert shell.stdout.replace(">>> ", "").split() == ["False", "False"]


def test_a_server_that_cannot_be_reached_is_the_only_error_that_the_shell_shows(at_home: Operator) -> None:
    with DataDir(at_home.data_dir).lock():
        shell = famichat(
            "shell", data_dir=at_home.data_dir, given='sign_in("anna", "a long enough one", "http://localhost:1")\n'
        )

    assert "Unreachable: Cannot reach http://localhost:1" in shell.stderr
    assert "DirectoryInUse" not in shell.stderr


async def test_the_shell_broadcasts_as_a_signed_in_user_of_a_running_server(app: RunningApp, tmp_path: Path) -> None:
    topic = f"message:direct:{app.talks.direct}"
    lines = f"""
chat = sign_in("maja", "{PASSWORD}", "{app.url}")
print(chat.create_direct_conversation("{app.home.emil.user_id}") == "{app.talks.direct}")
print(chat.send_message("{app.talks.direct}", "from the shell"))
print(chat.create_self_conversation() != chat.create_family_conversation())
print(len(chat.create_group_conversation("Holiday", ["{app.home.emil.user_id}", "{app.home.inga.user_id}"])))
"""
    async with app.connect(app.home.emil) as emil:
        await emil.join(topic)
        shell = await asyncio.to_thread(famichat, "shell", data_dir=tmp_path / "shell", given=lines)
        received = await emil.assert_broadcast(topic, "new_msg")

    assert shell.stdout.replace(">>> ", "").split() == ["True", "1", "True", "36"], shell.stderr
    assert received.payload["body"] == "from the shell"
