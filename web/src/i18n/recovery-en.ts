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

  "notice.link": "{by} created a link to reset your password. If you didn't ask for it, cancel it.",
  "notice.asked": "{by} wants to reset your password, and needs another admin to agree.",
  "notice.agreed": "{by} and {agreed} agreed to reset your password.",
  "notice.cancel": "I didn't ask for this: cancel",
  "notice.ok": "OK",
  "notice.consent": "{by} asks you to agree to a new password for {name}.",
  "notice.ready": "{agreed} agreed to a new password for {name}.",
  "notice.onlyAdmin": "Only you can help {family} with a forgotten password, and no one can help you.",
  "notice.show": "Manage family",

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
