import { type Cipheriv, createCipheriv } from "node:crypto";
import { type NarEntry, writeNar } from "@tvix/nar";

/** Files of one part, by length in bytes: many small ones, some chunks long, one of many chunks. */
const PART = [
  { files: 3000, length: (index: number) => 200 + ((index * 7919) % 24_000) },
  { files: 150, length: (index: number) => 100_000 + ((index * 104_729) % 900_000) },
  { files: 1, length: () => 96 << 20 },
];

/**
 * A NAR of as many parts as asked for, each with the same number of files of the same lengths
 * in as many directories, and with contents of its own: what differs between two such NARs is their
 * size and nothing else. Another seed, below 256, gives other contents.
 *
 * @param share of the files of a part, and of the length of the longest
 */
export function sameMixNar(parts: number, seed = 0, share = 1): AsyncIterable<Uint8Array> {
  return writeNar(entries(parts, seed, share));
}

/** Files of one directory at the most. */
const DIRECTORY_FILES = 200;

async function* entries(
  parts: number,
  seed: number,
  share: number,
): AsyncGenerator<NarEntry, void, undefined> {
  const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16));
  yield { type: "directory", name: nameOf("") };
  for (let part = 0; part < parts; part++) {
    yield { type: "directory", name: numbered("part", part) };
    for (const [kind, { files: all, length }] of PART.entries()) {
      const files = Math.ceil(all * share);
      for (let first = 0; first < files; first += DIRECTORY_FILES) {
        yield { type: "directory", name: numbered(`${kind}`, first) };
        for (let index = first; index < Math.min(files, first + DIRECTORY_FILES); index++) {
          const size = all === 1 ? Math.ceil(length(index) * share) : length(index);
          const contents = contentsOf(size, noise);
          yield { type: "file", name: numbered("file", index), executable: false, size, contents };
        }
        yield { type: "end" };
      }
    }
    yield { type: "end" };
  }
  yield { type: "end" };
}

const PIECE = 64 << 10;

/** Half of it is noise, the other half compresses well. */
async function* contentsOf(size: number, noise: Cipheriv): AsyncGenerator<Uint8Array, void, undefined> {
  for (let left = size; left > 0; left -= PIECE) {
    const piece = Buffer.alloc(Math.min(left, PIECE), "compressible ");
    noise.update(piece.subarray(0, piece.length >> 1)).copy(piece);
    yield piece;
  }
}

function nameOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A name that sorts by its number. */
function numbered(text: string, number: number): Uint8Array {
  return nameOf(`${text}-${String(number).padStart(5, "0")}`);
}
