import { escapeBytes } from "@tvix/byte-stream";
import type { NarOutline } from "../entry.ts";
import { NarError } from "../errors.ts";
import { NarLayout, type NarPlace } from "../layout.ts";

/**
 * The listing of a NAR as JSON, in pieces, members in alphabetical order as Nix writes them.
 * Contents of files are not looked at.
 *
 * @throws NarError INVALID_LISTING for names and targets that are not UTF-8, which JSON cannot
 *   have; INVALID_ENTRY and LIMIT_EXCEEDED as {@link NarLayout.place}
 */
export async function* writeListing(
  outline: AsyncIterable<NarOutline> | Iterable<NarOutline>,
): AsyncGenerator<string, void, undefined> {
  const layout = new NarLayout();
  let first = true;
  yield '{"root":';
  for await (const entry of outline) {
    const atRoot = layout.size === 0;
    const place = layout.place(entry);
    if (entry.type === "end") {
      yield '},"type":"directory"}';
    } else {
      const comma = first ? "" : ",";
      const label = atRoot ? "" : `${comma}${JSON.stringify(textOf(entry.name))}:`;
      yield `${label}${describe(entry, place)}`;
    }
    first = entry.type === "directory";
  }
  yield ',"version":1}';
}

function describe(entry: Exclude<NarOutline, { type: "end" }>, place: NarPlace): string {
  switch (entry.type) {
    case "directory":
      return '{"entries":{';
    case "symlink":
      return `{"target":${JSON.stringify(textOf(entry.target))},"type":"symlink"}`;
    case "file": {
      const executable = entry.executable ? '"executable":true,' : "";
      return `{${executable}"narOffset":${place.contents},"size":${entry.size},"type":"regular"}`;
    }
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new NarError("INVALID_LISTING", `${escapeBytes(bytes)} is not UTF-8, and cannot be listed`, {
      cause,
    });
  }
}
