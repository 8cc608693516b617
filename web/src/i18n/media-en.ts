/** Texts of the photo viewer, the gallery, videos and the recorder. They are loaded with the views that show them. */
export const mediaEn = {
  "photo.viewer": "Photos",
  "photo.at": "Photo {at} of {count}",
  "photo.previous": "Previous photo",
  "photo.next": "Next photo",
  "photo.zoom": "Zoom",
  "photo.unavailable": "This photo isn't available right now.",
  "photo.show": "Show in chat",

  "video.play": "Play {name}",
  "video.unplayable": "This browser can't play this video. Save it to watch it in another app.",

  "gallery.media": "Media",
  "gallery.files": "Files",
  "gallery.links": "Links",
  "gallery.noMedia": "No media yet",
  "gallery.noFiles": "No files yet",
  "gallery.noLinks": "No links yet",
  "gallery.older": "Load earlier messages",
  "gallery.show": "Show in chat: {what}",

  "voice.going": "Recording",
  "voice.asking": "Your browser is asking for permission to use the microphone.",
  "voice.stop": "Stop recording",
  "voice.slide": "Slide to cancel",
  "voice.cancel": "Discard recording",
  "voice.elsewhere": "Voice message from {name}",
  "voice.end": "Stop playing",
  "voice.note": "Voice message, {length}",
  "voice.play": "Play, {length}",
  "voice.pause": "Pause",
  "voice.position": "Position in the voice message",
  "voice.at": "{at} of {length}",
  "voice.speed": "Speed: {rate}×",
  "voice.unplayable": "This browser can't play this voice message.",
} as const

export type MediaKey = keyof typeof mediaEn
