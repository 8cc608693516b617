/** Finds chats and people by their names. */
import { fold, queryWords } from "./fold"
import { hasWordStarts, occursAtWordStart } from "./word-start"

/**
 * Returns the items in whose names all words of the query occur: first those in which names begin as typed, otherwise in
 * the given order. An empty query returns all.
 */
export function matchingNames<Item>(
  query: string,
  items: readonly Item[],
  nameOf: (item: Item) => string,
): readonly Item[] {
  const words = queryWords(query)
  const matching = items
    .map((item) => ({ item, name: fold(nameOf(item)) }))
    .filter(({ name }) => words.every((word) => name.includes(word)))
  const ranked = words.filter(hasWordStarts)
  const begins = ({ name }: { name: string }) => ranked.every((word) => occursAtWordStart(name, word))
  return [...matching.filter(begins), ...matching.filter((each) => !begins(each))].map(({ item }) => item)
}
