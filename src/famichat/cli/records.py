"""Every record that is kept, so that a command knows all tables, whatever parts of the server it needs itself.

Without it, `vault rotate` would leave out what it does not know.
"""

import famichat.accounts.audit_log
import famichat.accounts.invite
import famichat.accounts.names.taken_names
import famichat.accounts.profile
import famichat.accounts.sign_in.login_throttle
import famichat.accounts.sign_in.passkey
import famichat.accounts.sign_in.session
import famichat.chat.attachment
import famichat.chat.family
import famichat.chat.group_privilege
import famichat.chat.message
import famichat.chat.message_edit
import famichat.chat.participant
import famichat.chat.reaction
import famichat.chat.receipt
import famichat.push.preferences
import famichat.push.subscription
import famichat.storage.epoch  # noqa: F401 - each is imported for its tables
