"""The e-mail that the server sends, in the languages of the web client."""

from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Literal

Language = Literal["en", "ja"]
Purpose = Literal["confirm", "reset"]

_TEXTS: dict[tuple[Purpose, Language], tuple[str, str]] = {
    ("confirm", "en"): (
        "Confirm your email address",
        (
            "Hello {name},\n\nopen this link to confirm your email address. It works once, for one hour:\n\n{url}\n\n"
            "Then you can reset your password by email. If you didn't ask for this, ignore this email.\n"
        ),
    ),
    ("reset", "en"): (
        "Choose a new password",
        (
            "Hello {name},\n\nopen this link to choose a new password. It works once, for one hour, and signs you out "
            "on all devices:\n\n{url}\n\nIf you didn't ask for this, ignore this email. Your password stays the same.\n"
        ),
    ),
    ("confirm", "ja"): (
        "メールアドレスの確認",
        (
            "{name}さん\n\n次のリンクを開いて、メールアドレスを確認してください。1 時間以内に 1 回だけ使えます。"
            "\n\n{url}\n\n"
            "確認すると、メールでパスワードを再設定できます。心当たりがない場合は、このメールを無視してください。\n"
        ),
    ),
    ("reset", "ja"): (
        "新しいパスワードの設定",
        (
            "{name}さん\n\n次のリンクを開いて、新しいパスワードを設定してください。1 時間以内に 1 回だけ使えます。"
            "設定すると、すべての端末からログアウトします。\n\n{url}\n\n"
            "心当たりがない場合は、このメールを無視してください。パスワードは変わりません。\n"
        ),
    ),
}


def compose(
    purpose: Purpose, language: Language, *, app: str, sender: str, to: str, name: str, url: str
) -> EmailMessage:
    """Return an e-mail with a link.

    Args:
        purpose: what the link does.
        language: of the text.
        app: the name of this server, which the subject begins with.
        sender: the address it comes from.
        to: the address it goes to.
        name: the username of the recipient.
        url: the link.
    """
    subject, text = _TEXTS[purpose, language]
    message = EmailMessage()
    message["Subject"] = f"{app}: {subject}"
    message["From"] = sender
    message["To"] = to
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: keeps other programs from answering
    message.set_content(text.format(name=name, url=url))
    return message
