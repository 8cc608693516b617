import { expect, test } from "vitest"

import { transferredText } from "./transfer"

const picture = new File(["x"], "image.png")

function data(files: readonly File[], formats: Record<string, string>) {
  return { files, getData: (type: string) => formats[type] ?? "" }
}

test("of a text and a picture of it, as from a spreadsheet, the text is meant", () => {
  const cells = "Milk\t2\nBread\t1"
  expect(transferredText(data([picture], { "text/plain": cells, "text/html": "<table>" }))).toBe(cells)
  expect(transferredText(data([picture], { "text/plain": "see image.png" }))).toBe("see image.png")
})

test("a picture without text is meant itself, also if it was copied from a page", () => {
  expect(transferredText(data([picture], {}))).toBe("")
  expect(transferredText(data([picture], { "text/plain": " \n", "text/html": "<img>" }))).toBe("")
})

test("a file whose text is its name, path or URL is meant itself", () => {
  for (const text of ["image.png", "/home/maja/image.png", "C:\\Photos\\image.png", "image.png\r\nimage.png"]) {
    expect(transferredText(data([picture], { "text/plain": text }))).toBe("")
  }
  const url = "https://example.org/lake?size=large"
  expect(transferredText(data([picture], { "text/plain": url, "text/uri-list": `${url}\r\n` }))).toBe("")
})
