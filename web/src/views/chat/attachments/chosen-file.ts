/** A file that the user chose, as an attachment. */
import type { NewAttachment } from "../../../sync/pending-attachments"
import { parts } from "../../parts"

/** Returns it with the size, length and picture of a video, if this browser can play it. */
export async function chosenFile(file: File): Promise<NewAttachment> {
  const kind = file.type.startsWith("image/") ? "image" : "file"
  return { kind, blob: file, name: file.name, ...(file.type.startsWith("video/") && (await measured(file))) }
}

async function measured(file: File) {
  try {
    return await (await parts.videoPoster()).measureVideo(file)
  } catch {
    return undefined // The part cannot be loaded.
  }
}
