import { Readable } from "node:stream";
import { type ByteSource, type ByteStream, escapeBytes } from "@tvix/byte-stream";
import { CastoreError, CastorePath, type PathComponent } from "@tvix/castore";
import { extract, type Header } from "tar-stream";

/** An entry. */
export interface TarEntry {
  readonly header: Header;
  /** To be read before the next entry comes, or {@link skip}ped. */
  readonly contents: ByteStream;
  skip(): void;
}

/** What the parser of archives hands out. */
interface Parsed extends AsyncIterable<Uint8Array> {
  readonly header: Header;
  resume(): unknown;
}

/**
 * The entries of an archive, in their order.
 *
 * @throws CastoreError INVALID_NODE for what is no archive, or ends early; what the source fails with
 */
export async function* tarEntries(source: ByteSource): AsyncGenerator<TarEntry, void, undefined> {
  // Names come as one character for each byte: they need not be UTF-8.
  const archive = extract({ filenameEncoding: "latin1" } as object);
  const watched = new WatchedSource(source);
  const input = Readable.from(watched.pieces(), { objectMode: false });
  input.once("error", (error) => archive.destroy(error));
  input.pipe(archive as unknown as NodeJS.WritableStream);
  try {
    for await (const entry of archive as AsyncIterable<Parsed>) {
      yield { header: entry.header, contents: contentsOf(entry, watched), skip: () => void entry.resume() };
    }
  } catch (error) {
    throw watched.explained(error);
  } finally {
    input.destroy();
    archive.destroy();
  }
}

async function* contentsOf(entry: Parsed, watched: WatchedSource): ByteStream {
  try {
    yield* entry;
  } catch (error) {
    throw watched.explained(error);
  }
}

/** Remembers what a source has failed with: streams between it and its reader may tell another error. */
class WatchedSource {
  readonly #source: ByteSource;
  failure: { readonly error: unknown } | undefined;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** What an archive fails with, when its parser fails: the failure of its source, or a fault in it. */
  explained(error: unknown): unknown {
    if (this.failure !== undefined) return this.failure.error;
    if (CastoreError.is(error)) return error;
    const text = error instanceof Error ? error.message : String(error);
    return new CastoreError("INVALID_NODE", `not a tar archive that can be read: ${text}`, { cause: error });
  }

  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    let isEmpty = true;
    try {
      for await (const piece of this.#source instanceof Uint8Array ? [this.#source] : this.#source) {
        if (piece.length > 0) isEmpty = false;
        yield piece;
      }
      if (isEmpty) throw new CastoreError("INVALID_NODE", "not a tar archive: there is nothing in it");
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}

/** Where an entry lies. @throws CastoreError INVALID_PATH when it is absolute or has `..` */
export function placeOf(header: Header): readonly PathComponent[] {
  return componentsOf(bytesOf(header.name, header.pax, "path"));
}

/** What a hard link stands for. @throws CastoreError INVALID_PATH */
export function linkedPlaceOf(header: Header): readonly PathComponent[] {
  return componentsOf(targetOf(header));
}

/** What a link points to. */
export function targetOf({ linkname, pax }: Header): Uint8Array {
  return bytesOf(linkname ?? "", pax, "linkpath");
}

/** A name for a message. */
export function shownName(header: Header): string {
  return escapeBytes(bytesOf(header.name, header.pax, "path"));
}

/**
 * Names in pax headers are UTF-8; those in other headers are bytes.
 *
 * @throws CastoreError INVALID_NODE for names that were lost in reading, and for what is stored as something else
 */
function bytesOf(text: string, pax: Header["pax"], field: string): Uint8Array {
  const records = typeof pax === "object" && pax !== null ? (pax as Record<string, unknown>) : {};
  if (records[field] !== text) return new Uint8Array(Buffer.from(text, "latin1"));
  // The parser takes pax records for UTF-8, and has a replacement for what is none.
  if (records["hdrcharset"] === "BINARY" || text.includes("\ufffd")) {
    throw new CastoreError(
      "INVALID_NODE",
      `the archive has a name in a pax header that is not UTF-8: ${JSON.stringify(text)}`,
    );
  }
  return new Uint8Array(Buffer.from(text, "utf8"));
}

/** Whether what follows is the map of a sparse file and its pieces, as GNU tar writes them into pax archives. */
export function isSparse({ pax }: Header): boolean {
  return (
    typeof pax === "object" && pax !== null && Object.keys(pax).some((key) => key.startsWith("GNU.sparse."))
  );
}

function componentsOf(path: Uint8Array): readonly PathComponent[] {
  return CastorePath.fromHostPath(path).components;
}
