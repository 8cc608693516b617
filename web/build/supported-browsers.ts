/** The oldest supported browsers, as in README.md. Vite translates newer JavaScript syntax and CSS for them. */
export const SUPPORTED_BROWSERS = ["chrome109", "firefox115", "safari16"]
