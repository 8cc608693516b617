/** Texts about forgotten passwords of members. They are loaded with the views that show them. */
export const recoveryEn = {
  "forgot.button": "Forgot password",
  "forgot.title": "New password for {name}",
  "forgot.lead":
    "Send this link to {name}, or let them scan the code. It works once, for one hour, and signs {name} out everywhere. {name} is notified.",
  "forgot.ask": "Another admin has to agree first. {name} is notified, and can cancel.",
  "forgot.askButton": "Ask the other admins",
  "forgot.waiting": "Another admin has to agree before {time}. They find this under “Manage family”.",
  "forgot.asked": "{by} wants to give {name} a new password. Agree only if {name} asked for it, for example by phone.",
  "forgot.agree": "Agree",
  "forgot.refuse": "Refuse",
  "forgot.agreed": "{agreed} agreed. Create the link before {time}.",
  "forgot.byOthers": "{by} and {agreed} agreed to give {name} a new password.",
  "forgot.link": "Create link",
  "forgot.withdraw": "Withdraw",

  "email.lead": "We'll send you a link to choose a new password, if your email address is confirmed.",
  "email.send": "Send link",
  "email.sent":
    "If this account has a confirmed email address, the link is on its way. Otherwise ask your family's admin.",
  "email.back": "Back",
  "email.title": "Email address",
  "email.why": "With a confirmed email address, you can reset a forgotten password yourself.",
  "email.confirm": "Confirm",
  "email.notNow": "Not now",
  "email.none": "No email address yet.",
  "email.add": "Add email address",
  "email.change": "Change email address",
  "email.new": "New email address",
  "email.save": "Save email address",
  "email.saved": "Saved. Open the link in the email we sent you within an hour.",
  "email.remove": "Remove email address",
  "email.removed": "Removed.",
  "email.confirmed": "{email} is confirmed.",
  "email.unconfirmed": "{email} is not confirmed yet.",
  "email.sendConfirmation": "Send confirmation email",
  "email.confirmationSent": "Sent. Open the link in the email within an hour.",

  "notice.link": "{by} created a link to reset your password. If you didn't ask for it, cancel it.",
  "notice.asked": "{by} wants to reset your password, and needs another admin to agree.",
  "notice.agreed": "{by} and {agreed} agreed to reset your password.",
  "notice.cancel": "I didn't ask for this: cancel",
  "notice.ok": "OK",
  "notice.consent": "{by} asks you to agree to a new password for {name}.",
  "notice.ready": "{agreed} agreed to a new password for {name}.",
  "notice.onlyAdmin":
    "Only you can help {family} with a forgotten password, and no one can help you. Make another adult an admin.",
  "notice.show": "Manage family",
  "notice.notNow": "Not now",

  "account.link": "{by} created a link to reset your password.",
  "account.asked": "{by} asked to reset your password.",
  "account.agreed": "{by} agreed to reset your password.",
  "account.cancelled": "{by} cancelled a password reset.",

  "activity.link": "{by} created a link to reset {name}'s password.",
  "activity.asked": "{by} asked to reset {name}'s password.",
  "activity.agreed": "{by} agreed to reset {name}'s password.",
  "activity.cancelled": "{by} cancelled a password reset. {name} is notified.",
} as const

export type RecoveryKey = keyof typeof recoveryEn
