/** What this browser is called in the list of devices. */
export function deviceName(agent: string = navigator.userAgent): string {
  const browser = [/Firefox/, /Edg/, /Chrome|CriOS/, /Safari/].find((each) => each.test(agent))
  const system = [/iPhone/, /iPad/, /Android/, /Windows/, /Mac OS/, /Linux/].find((each) => each.test(agent))
  const names = [
    browser?.source.replace("Edg", "Edge").replace("|CriOS", "") ?? "Browser",
    system?.source ?? "a computer",
  ]
  return names.join(", ")
}
