/**
 * Corrects the three places in which ts-mls 1.6.4 deviates from RFC 9420. No published version contains these fixes.
 *
 * The files in node_modules stay unchanged. Vite loads the corrected text instead, in builds, in workers and in tests.
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"

import type { Plugin } from "vite"

export interface Patch {
  /** Path below node_modules. */
  readonly file: string
  /** Each text to replace occurs exactly once. */
  readonly replacements: readonly (readonly [before: string, after: string])[]
  /** SHA-256 of the file after the replacements, and thereby of the file before. */
  readonly sha256: string
}

/**
 * - `clientState.js`: section 12.4.3.1 requires that each entry of `unmerged_leaves` is a non-blank leaf and a descendant
 *   of the parent, and that the non-blank nodes between the two list this leaf. The library accepts an entry that is only
 *   one of these, and compares the complete lists of all ancestors, which differ after ordinary commits. The leaf is
 *   checked before its path is computed, because the path of a leaf outside the tree never ends.
 * - `createCommit.js`: section 12.4.3.2 defines the `external_pub` extension as `HPKEPublicKey external_pub`, that is
 *   `opaque<V>`, which begins with its length.
 */
export const TS_MLS: readonly Patch[] = [
  {
    file: "ts-mls/dist/src/clientState.js",
    replacements: [
      [
        `                const dp = directPath(leafToNodeIndex(leafIndex), leafWidth(tree.length));
                const nodeIndex = leafToNodeIndex(leafIndex);
                if (tree[nodeIndex]?.nodeType !== "leaf" && !dp.includes(toNodeIndex(i)))
                    return new ValidationError("Unmerged leaf did not represent a non-blank descendant leaf node");
                for (const parentIdx of dp) {
`,
        `                const nodeIndex = leafToNodeIndex(leafIndex);
                if (tree[nodeIndex]?.nodeType !== "leaf")
                    return new ValidationError("Unmerged leaf did not represent a non-blank descendant leaf node");
                const dp = directPath(nodeIndex, leafWidth(tree.length));
                const distance = dp.indexOf(toNodeIndex(i));
                if (distance < 0)
                    return new ValidationError("Unmerged leaf did not represent a non-blank descendant leaf node");
                for (const parentIdx of dp.slice(0, distance)) {
`,
      ],
      [
        "if (!arraysEqual(dpNode.parent.unmergedLeaves, n.parent.unmergedLeaves))",
        "if (!dpNode.parent.unmergedLeaves.includes(unmergedLeaf))",
      ],
      ['import { arraysEqual } from "./util/array.js";\n', ""],
    ],
    sha256: "ea7c33830160da1d0b802663ca86004f5011856adc11d7803ff50b5ba1cf3839",
  },
  {
    file: "ts-mls/dist/src/createCommit.js",
    replacements: [
      [
        'import { encode } from "./codec/tlsEncoder.js";\n',
        `import { encode } from "./codec/tlsEncoder.js";
import { decodeVarLenData, varLenDataEncoder } from "./codec/variableLength.js";
function decodeExternalPub(data) {
    const [externalPub, length] = decodeVarLenData(data, 0);
    if (length !== data.length)
        throw new ValidationError("external_pub has trailing bytes");
    return externalPub;
}
`,
      ],
      [
        `[...extensions, { extensionType: "external_pub", extensionData: externalPub }]`,
        `[...extensions, { extensionType: "external_pub", extensionData: encode(varLenDataEncoder)(externalPub) }]`,
      ],
      [
        `        { extensionType: "external_pub", extensionData: externalPub },\n`,
        `        { extensionType: "external_pub", extensionData: encode(varLenDataEncoder)(externalPub) },\n`,
      ],
      ["exportSecret(externalPub.extensionData, cs)", "exportSecret(decodeExternalPub(externalPub.extensionData), cs)"],
    ],
    sha256: "64916054ef1904f446c078f2adfa5f49c3b536215f499bd674627a1845cae60d",
  },
]

/** Applies a patch, and fails if a text to replace is missing or the result is not the expected one. */
export function applied(patch: Patch, original: string): string {
  let text = original
  for (const [before, after] of patch.replacements) {
    if (text.split(before).length !== 2) throw new Error(`${patch.file}: not exactly once in this version:\n${before}`)
    text = text.replace(before, () => after)
  }
  const sha256 = createHash("sha256").update(text).digest("hex")
  if (sha256 !== patch.sha256) throw new Error(`${patch.file}: the patched file has the sha256 ${sha256}`)
  return text
}

/** Loads the patched files instead of those in node_modules. All of them are checked, whether they are loaded or not. */
export function patched(patches: readonly Patch[]): Plugin {
  const texts = new Map<string, string>()
  return {
    name: "famichat:patches",
    enforce: "pre",
    buildStart() {
      for (const patch of patches) {
        const original = new URL(`../node_modules/${patch.file}`, import.meta.url)
        texts.set(patch.file, applied(patch, readFileSync(original, "utf8")))
      }
    },
    load(id) {
      const file = id.split("?")[0]?.split("/node_modules/").at(-1) ?? ""
      if (!patches.some((patch) => file.split("/")[0] === patch.file.split("/")[0])) return null
      const text = texts.get(file) ?? readFileSync(new URL(`../node_modules/${file}`, import.meta.url), "utf8")
      // The maps of ts-mls name sources that its package does not contain, about which Vite would warn.
      return { code: text.replace(/^\/\/# sourceMappingURL=.*$/m, ""), map: null }
    },
  }
}
