import type { MediaKey } from "./media-en"

export const mediaJa: Readonly<Record<MediaKey, string>> = {
  "photo.viewer": "写真",
  "photo.at": "写真 {at}/{count}",
  "photo.previous": "前の写真",
  "photo.next": "次の写真",
  "photo.zoom": "拡大",
  "photo.unavailable": "この写真は現在表示できません。",
  "photo.show": "会話で表示",

  "video.play": "{name}を再生",
  "video.unplayable": "このブラウザではこの動画を再生できません。保存して、ほかのアプリでご覧ください。",

  "gallery.media": "写真と動画",
  "gallery.files": "ファイル",
  "gallery.links": "リンク",
  "gallery.noMedia": "写真や動画はまだありません",
  "gallery.noFiles": "ファイルはまだありません",
  "gallery.noLinks": "リンクはまだありません",
  "gallery.older": "以前のメッセージを読み込む",
  "gallery.show": "会話で表示：{what}",

  "voice.going": "録音中",
  "voice.asking": "ブラウザがマイクの使用許可を求めています。",
  "voice.stop": "録音を終える",
  "voice.slide": "スライドして取り消す",
  "voice.cancel": "録音を破棄",
  "voice.elsewhere": "{name}からのボイスメッセージ",
  "voice.end": "再生を終える",
  "voice.note": "ボイスメッセージ、{length}",
  "voice.play": "再生、{length}",
  "voice.pause": "一時停止",
  "voice.position": "ボイスメッセージの再生位置",
  "voice.at": "{length} のうち {at}",
  "voice.speed": "速度：{rate}倍",
  "voice.unplayable": "このブラウザではこのボイスメッセージを再生できません。",
}
