/** What somebody who works on a store notes of it: written down when it begins, or when it is acknowledged. */
export type Note =
  | { readonly type: "put"; readonly path: string; readonly narHash: string }
  | { readonly type: "forgetting" | "forgotten"; readonly path: string }
  | { readonly type: "blob"; readonly digest: string }
  | { readonly type: "collecting" }
  | { readonly type: "failed"; readonly name: string; readonly code: string; readonly message: string };

/** What a store has to have after some notes. */
export class Story {
  /** SHA-256 of the NARs of paths that have to be there. */
  readonly paths = new Map<string, string>();
  /** Paths that may not be there. */
  readonly forgotten = new Set<string>();
  /** Blobs that have to be there. */
  readonly blobs = new Set<string>();
  readonly failures: Extract<Note, { type: "failed" }>[] = [];

  add(note: Note): void {
    if (note.type === "put") {
      this.paths.set(note.path, note.narHash);
      this.forgotten.delete(note.path);
    } else if (note.type === "forgetting") this.paths.delete(note.path);
    else if (note.type === "forgotten") this.forgotten.add(note.path);
    else if (note.type === "blob") this.blobs.add(note.digest);
    else if (note.type === "failed") this.failures.push(note);
    // What nothing refers to may go from then on.
    else this.blobs.clear();
  }
}

/** The note of a line. */
export function parseNote(line: string): Note {
  return JSON.parse(line);
}
