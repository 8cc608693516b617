import boundaries from "eslint-plugin-boundaries"
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
