/** What a paste or a drop means, when it offers the same content in several formats. */

/**
 * Returns the text of a paste or drop, or an empty string if its files are meant.
 *
 * Spreadsheets and word processors offer a picture of the text beside the text. File managers and browsers, however,
 * offer the name, path or URL of a file as its text; then the file is meant.
 */
export function transferredText(data: Pick<DataTransfer, "getData"> & { readonly files: Iterable<File> }): string {
  const text = data.getData("text/plain")
  const names = [...data.files].map(({ name }) => name)
  const urls = linesOf(data.getData("text/uri-list"))
  const describesFile = (line: string) =>
    urls.includes(line) ||
    names.some((name) => line === name || line.endsWith(`/${name}`) || line.endsWith(`\\${name}`))
  return linesOf(text).every(describesFile) ? "" : text
}

function linesOf(text: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "")
}
