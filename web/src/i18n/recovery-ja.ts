import type { RecoveryKey } from "./recovery-en"

export const recoveryJa: Readonly<Record<RecoveryKey, string>> = {
  "forgot.button": "パスワードを忘れた",
  "forgot.title": "{name}の新しいパスワード",
  "forgot.lead":
    "このリンクを{name}に送るか、コードを読み取ってもらってください。1 時間以内に 1 回だけ使えます。使うと、すべての端末からログアウトします。{name}にも通知されます。",
  "forgot.ask": "先にほかの管理者の同意が必要です。{name}にも通知され、本人が取り消せます。",
  "forgot.askButton": "ほかの管理者に頼む",
  "forgot.waiting": "{time}までに、ほかの管理者の同意が必要です。「家族を管理」に表示されます。",
  "forgot.asked":
    "{by}が{name}のパスワードを再設定しようとしています。電話などで{name}本人から頼まれた場合だけ、同意してください。",
  "forgot.agree": "同意する",
  "forgot.refuse": "断る",
  "forgot.agreed": "{agreed}が同意しました。{time}までにリンクを作成してください。",
  "forgot.byOthers": "{by}と{agreed}が、{name}のパスワードの再設定に同意しました。",
  "forgot.link": "リンクを作成",
  "forgot.withdraw": "取り下げる",

  "email.lead": "メールアドレスが確認済みの場合、新しいパスワードを設定するリンクを送ります。",
  "email.send": "リンクを送る",
  "email.sent":
    "このアカウントのメールアドレスが確認済みなら、まもなくリンクが届きます。届かない場合は、家族の管理者に頼んでください。",
  "email.back": "戻る",
  "email.title": "メールアドレス",
  "email.why": "メールアドレスを確認しておくと、パスワードを忘れたときに自分で再設定できます。",
  "email.confirm": "確認する",
  "email.notNow": "あとで",
  "email.none": "メールアドレスは登録されていません。",
  "email.add": "メールアドレスを追加",
  "email.change": "メールアドレスを変更",
  "email.new": "新しいメールアドレス",
  "email.save": "メールアドレスを保存",
  "email.saved": "保存しました。1 時間以内に、届いたメールのリンクを開いてください。",
  "email.remove": "メールアドレスを削除",
  "email.removed": "削除しました。",
  "email.confirmed": "{email} は確認済みです。",
  "email.unconfirmed": "{email} はまだ確認されていません。",
  "email.sendConfirmation": "確認メールを送る",
  "email.confirmationSent": "送信しました。1 時間以内にメールのリンクを開いてください。",

  "notice.link":
    "{by}があなたのパスワードを再設定するリンクを作成しました。頼んだ覚えがない場合は、取り消してください。",
  "notice.asked": "{by}があなたのパスワードの再設定を希望しています。ほかの管理者の同意を待っています。",
  "notice.agreed": "{by}と{agreed}が、あなたのパスワードの再設定に同意しました。",
  "notice.cancel": "頼んでいないので取り消す",
  "notice.ok": "OK",
  "notice.consent": "{by}が、{name}のパスワードの再設定への同意を求めています。",
  "notice.ready": "{agreed}が、{name}のパスワードの再設定に同意しました。",
  "notice.onlyAdmin":
    "パスワードを忘れた{family}のメンバーを助けられるのは、あなただけです。あなたが忘れたときのために、もう一人を管理者にしてください。",
  "notice.show": "家族を管理",
  "notice.notNow": "あとで",

  "account.link": "{by}があなたのパスワードを再設定するリンクを作成しました。",
  "account.asked": "{by}があなたのパスワードの再設定を希望しました。",
  "account.agreed": "{by}があなたのパスワードの再設定に同意しました。",
  "account.cancelled": "{by}がパスワードの再設定を取り消しました。",

  "activity.link": "{by}が{name}のパスワードを再設定するリンクを作成しました。",
  "activity.asked": "{by}が{name}のパスワードの再設定を希望しました。",
  "activity.agreed": "{by}が{name}のパスワードの再設定に同意しました。",
  "activity.cancelled": "{by}がパスワードの再設定を取り消しました。{name}に通知されます。",
}
