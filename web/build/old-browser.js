// Runs in browsers of any age, so it is a classic script in old syntax. Modules do not run in a browser that is too old.
;(function () {
  var supported =
    "noModule" in HTMLScriptElement.prototype &&
    "findLast" in Array.prototype &&
    typeof HTMLDialogElement === "function" &&
    CSS.supports("overflow", "clip")
  if (supported) return
  var texts = {
    en: "This browser is too old for Famichat. Please update it, or use a newer one: Chrome 109, Firefox 115, Safari 16 or later.",
    ja: "このブラウザは古いため、Famichat を表示できません。ブラウザを更新するか、Chrome 109、Firefox 115、Safari 16 以降を使ってください。",
  }
  var app = document.querySelector('meta[name="application-name"]')
  var sentence = document.createElement("p")
  sentence.setAttribute("role", "alert")
  var text = /^ja/.test(navigator.language) ? texts.ja : texts.en
  sentence.textContent = text.replace("Famichat", (app && app.getAttribute("content")) || "Famichat")
  document.body.insertBefore(sentence, document.body.firstChild)
})()
