"""Imports every module that defines tables, so that commands know all tables.

Otherwise `vault rotate` would not re-encrypt the tables of modules that the command does not import.
"""

import famichat.accounts.audit_log
import famichat.accounts.invite
import famichat.accounts.names.taken_names
import famichat.accounts.profile
import famichat.accounts.sign_in.login_throttle
import famichat.accounts.sign_in.passkey
import famichat.accounts.sign_in.session
import famichat.chat.records.attachment
import famichat.chat.records.contact
import famichat.chat.records.family
import famichat.chat.records.group_privilege
import famichat.chat.records.message
import famichat.chat.records.message_edit
import famichat.chat.records.message_mark
import famichat.chat.records.mls
import famichat.chat.records.participant
import famichat.chat.records.reaction
import famichat.chat.records.receipt
import famichat.chat.records.reset_agreement
import famichat.e2ee.account_key
import famichat.e2ee.device_keys
import famichat.e2ee.key_package
import famichat.e2ee.key_share
import famichat.push.position
import famichat.push.preferences
import famichat.push.subscription
import famichat.storage.backup.record
import famichat.storage.epoch
import famichat.storage.node
import famichat.storage.rate_bucket  # noqa: F401 - each is imported for its tables
