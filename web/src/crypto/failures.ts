/** Why a message cannot be read; see docs/errors.md. Pages need the numbers without the code that decrypts. */
export const NOT_DECRYPTED = 603
export const UNKNOWN_KEY = 605
export const UNKNOWN_VERSION = 606
export const UNTRUSTED = 608
