import baselineJs from "eslint-plugin-baseline-js"
import boundaries from "eslint-plugin-boundaries"
import * as regexp from "eslint-plugin-regexp"
import svelte from "eslint-plugin-svelte"
import tseslint from "typescript-eslint"

/**
 * The folders of `src`, from the top layer to the bottom. A file imports from its own layer and from those below it.
 * `testing` is on top: only tests, which this rule leaves out, import it.
 */
const LAYERS = ["testing", "pages", "views", "sync", "session", "device", "worker", "models", "crypto", "api"]
/** The lowest layer has two independent halves: `api` and `i18n` do not import each other. */
const LOWEST = ["api", "i18n"]

const policies = [...LAYERS, "i18n"].map((layer, index) => {
  const below = LOWEST.includes(layer) ? [layer] : [...LAYERS.slice(index), "i18n"]
  return {
    from: { element: { type: layer } },
    allow: { to: { element: { types: { anyOf: below } } } },
  }
})

/** Each cryptographic library has one file that imports it, and overrides its unsafe defaults. Tests import any. */
const LIBRARY_OWNERS = { "src/crypto/mls.ts": "ts-mls", "src/crypto/suite.ts": "@noble" }

const onlyTheOwnerImports = (libraries) => ({
  "@typescript-eslint/no-restricted-imports": [
    "error",
    {
      patterns: libraries.map((library) => ({
        regex: `^${library}(/|$)`,
        allowTypeImports: true,
        message: `Only ${Object.keys(LIBRARY_OWNERS).find((file) => LIBRARY_OWNERS[file] === library)} imports it.`,
      })),
    },
  ],
})

export default tseslint.config(
  { ignores: ["node_modules/"] },
  tseslint.configs.recommended,
  svelte.configs.recommended,
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: tseslint.parser } },
  },
  {
    files: ["src/**"],
    ignores: ["**/*.test.ts"], // Tests share fixtures across layers.
    plugins: { boundaries },
    settings: {
      "import/resolver": { typescript: { project: "tsconfig.json", extensions: [".ts", ".svelte.ts", ".svelte"] } },
      "boundaries/elements": [...LAYERS, "i18n"].map((layer) => ({ type: layer, pattern: `src/${layer}` })),
      "boundaries/include": ["src/**"],
    },
    rules: {
      "boundaries/dependencies": ["error", { default: "disallow", policies }],
      "boundaries/no-unknown-files": "error",
    },
  },
  {
    // The supported browsers (README.md) have what all engines had at the end of 2022. New methods of objects are not
    // found here, but by TypeScript: see `lib` in tsconfig.json.
    files: ["src/**/*.ts", "src/**/*.svelte"],
    ignores: ["**/*.test.ts", "src/testing/**"],
    plugins: { "baseline-js": baselineJs },
    rules: {
      "no-restricted-syntax": [
        "error",
        { selector: "Literal[regex.pattern=/\\(\\?<[=!]/]", message: "Safari 16.0 has no lookbehind assertions." },
      ],
      "baseline-js/use-baseline": [
        "error",
        {
          available: 2022,
          includeWebApis: { preset: "auto" },
          includeJsBuiltins: { preset: "auto" },
          ignoreFeatures: [
            "createimagebitmap", // Only its options are newer.
            "notifications", // Missing features are listed in the settings.
            "badging", // Called only if it exists.
          ],
        },
      ],
    },
  },
  {
    files: ["src/**"],
    ignores: ["**/*.test.ts", "src/testing/**"],
    rules: onlyTheOwnerImports(Object.values(LIBRARY_OWNERS)),
  },
  ...Object.keys(LIBRARY_OWNERS).map((owner) => ({
    files: [owner],
    rules: onlyTheOwnerImports(Object.values(LIBRARY_OWNERS).filter((library) => library !== LIBRARY_OWNERS[owner])),
  })),
  {
    // Anyone can send a text on which a backtracking engine takes quadratic or exponential time.
    plugins: { regexp },
    rules: {
      "regexp/no-super-linear-backtracking": "error",
      "regexp/no-super-linear-move": "error",
    },
  },
  {
    rules: {
      "no-undef": "off", // TypeScript is better at this
      "@typescript-eslint/no-unused-vars": ["error", { varsIgnorePattern: "^_", argsIgnorePattern: "^_" }],
      "svelte/no-at-html-tags": "error",
      "svelte/no-useless-mustaches": "off", // An empty text node is a child, too.
      "svelte/no-unused-svelte-ignore": "off", // The compiler reports these through `npm run check`.
      "svelte/prefer-svelte-reactivity": "off", // The models are plain values, which nothing observes.
      "svelte/no-navigation-without-resolve": "off", // This is not a SvelteKit project.
    },
  },
)
