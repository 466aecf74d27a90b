import { collect } from "@tvix/byte-stream";
import { type NarEntry, writeNar } from "@tvix/nar";

/** A stream of numbers from 0 to 1 that is the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const text = (value: string) => new TextEncoder().encode(value);
const file = (name: string, contents: string, executable = false): NarEntry => ({
  type: "file",
  name: text(name),
  executable,
  size: contents.length,
  contents: text(contents),
});

/** NARs with one of everything, small enough that a mutation hits something that matters. */
export const SEEDS: readonly (readonly NarEntry[])[] = [
  [file("", "Hello World!")],
  [file("", "#!/bin/sh\n", true)],
  [{ type: "symlink", name: text(""), target: text("/nix/store/somewhereelse") }],
  [
    { type: "directory", name: text("") },
    file("a", "short"),
    file("b", "", true),
    { type: "directory", name: text("c") },
    { type: "symlink", name: text("d"), target: text("../a") },
    { type: "end" },
    { type: "directory", name: text("e") },
    { type: "end" },
    { type: "end" },
  ],
];

/** The strings of a NAR, each with its length and padding; a NAR is nothing else. */
function strings(nar: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  const words = new DataView(nar.buffer, nar.byteOffset, nar.byteLength);
  for (let at = 0; at < nar.length; ) {
    const end = at + 8 + Math.ceil(words.getUint32(at, true) / 8) * 8;
    found.push(nar.subarray(at, end));
    at = end;
  }
  return found;
}

/** One of the seeds with one to three things changed: bytes, lengths, or whole strings. */
export async function mutatedNar(random: () => number): Promise<Uint8Array> {
  const below = (limit: number) => Math.floor(random() * limit);
  const seeds = await Promise.all(SEEDS.map((entries) => collect(writeNar(entries), 1 << 20)));
  const pick = () => seeds[below(seeds.length)] as Uint8Array;
  let nar: Uint8Array = pick().slice();
  for (let left = 1 + below(3); left > 0; left--) {
    const at = below(nar.length);
    switch (below(9)) {
      case 0:
        nar[at] = (nar[at] as number) ^ (1 << below(8));
        break;
      case 1:
        nar[at] = below(256);
        break;
      case 2:
        nar = nar.slice(0, at);
        break;
      case 3:
        nar = Buffer.concat([nar.subarray(0, at & ~7), nar.subarray((at & ~7) + 8)]);
        break;
      case 4:
        nar = Buffer.concat([nar.subarray(0, at & ~7), pick().subarray(below(64) * 8)]);
        break;
      case 5:
        nar = Buffer.concat([nar, pick().subarray(0, 8 * (1 + below(3)))]);
        break;
      default:
        nar = changedStrings(nar, below, pick);
    }
    if (nar.length === 0) return nar;
  }
  return nar;
}

/** Drops, repeats, swaps or inserts whole strings; leaves alone what has none any more. */
function changedStrings(
  nar: Uint8Array,
  below: (limit: number) => number,
  pick: () => Uint8Array,
): Uint8Array {
  let parts: Uint8Array[];
  try {
    parts = strings(nar);
  } catch {
    return nar;
  }
  const [at, other] = [below(parts.length), below(parts.length)];
  const part = parts[at] as Uint8Array;
  switch (below(4)) {
    case 0:
      parts.splice(at, 1);
      break;
    case 1:
      parts.splice(at, 0, part);
      break;
    case 2:
      parts[at] = parts[other] as Uint8Array;
      parts[other] = part;
      break;
    default: {
      const foreign = strings(pick());
      parts.splice(at, 0, foreign[below(foreign.length)] as Uint8Array);
    }
  }
  return Buffer.concat(parts);
}
