import svelte from "eslint-plugin-svelte"
import tseslint from "typescript-eslint"

export default tseslint.config(
  { ignores: ["node_modules/"] },
  tseslint.configs.recommended,
  svelte.configs.recommended,
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: tseslint.parser } },
  },
  {
    rules: {
      "no-undef": "off", // TypeScript is better at this
      "@typescript-eslint/no-unused-vars": ["error", { varsIgnorePattern: "^_", argsIgnorePattern: "^_" }],
      "svelte/no-at-html-tags": "error",
      "svelte/no-useless-mustaches": "off", // an empty text is a child, too
      "svelte/no-unused-svelte-ignore": "off", // the compiler says so itself, through `npm run check`
      "svelte/prefer-svelte-reactivity": "off", // our models are plain values, which nobody watches
      "svelte/no-navigation-without-resolve": "off", // this is no SvelteKit
    },
  },
)
