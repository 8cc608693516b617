/** Decides which modules share a file. */
import { parse, resolve } from "node:path"

import type { Rolldown } from "vite"

type ModuleGraph = Parameters<Rolldown.CodeSplittingNameFunction>[1]

/**
 * Puts all modules that `page` imports before it shows anything into one chunk, and those that `other` needs, too, into
 * another. Otherwise each module that a view loaded later needs as well would get a chunk: the first load would take many
 * requests, and small files compress less. The first chunk has the name of the page, by which `session/app-update.ts`
 * recognises another version.
 */
export function firstLoad(page: string, other: string): Rolldown.CodeSplittingGroup {
  return {
    name(id, graph) {
      if (!importedBy(resolve(page), graph).has(id)) return null
      return importedBy(resolve(other), graph).has(id) ? "common" : parse(page).name
    },
  }
}

const known = new WeakMap<ModuleGraph, Map<string, Set<string>>>()

/** The modules that an entry imports, directly or not, without those it loads later. */
function importedBy(entry: string, graph: ModuleGraph): Set<string> {
  const byEntry = known.get(graph) ?? new Map<string, Set<string>>()
  known.set(graph, byEntry)
  const imported = byEntry.get(entry) ?? new Set<string>()
  if (byEntry.has(entry)) return imported
  byEntry.set(entry, imported)
  const waiting = [entry]
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (imported.has(id)) continue
    imported.add(id)
    waiting.push(...(graph.getModuleInfo(id)?.importedIds ?? []))
  }
  return imported
}
