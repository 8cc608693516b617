-- Prosody as a chat server with archive, groups and push. No TLS, no limits, loopback only. @PORT@ and @FOLDER@ are
-- filled in.
run_as_root = true
daemonize = false
data_path = "@FOLDER@/data"
pidfile = "@FOLDER@/pid"
network_backend = "epoll"
interfaces = { "127.0.0.1" }
c2s_ports = { @PORT@ }
c2s_direct_tls_ports = {}
modules_enabled = {
  "roster"; "saslauth"; "disco"; "carbons"; "pep"; "blocklist"; "vcard4"; "vcard_legacy"; "version"; "uptime"; "time";
  "ping"; "register"; "mam"; "csi_simple"; "smacks"; "bookmarks";
}
modules_disabled = { "s2s", "tls" }
allow_registration = true
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_hashed"
storage = "internal"
storage_archive_item_limit = 1000000
archive_expires_after = "never"
default_archive_policy = true
max_archive_query_results = 250
log = { warn = "@FOLDER@/log" }
VirtualHost "localhost"
Component "conference.localhost" "muc"
  modules_enabled = { "muc_mam" }
  restrict_room_creation = false
  muc_room_default_persistent = true
  muc_log_by_default = true
