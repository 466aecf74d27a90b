import { concatBytes, decodeHex, encodeHex, equalBytes } from "@tvix/byte-stream";
import { type Codec, PathComponent, Table } from "@tvix/castore";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { decodePlaces, encodePlaces, type PlaceInTree } from "./places.ts";

/** Length of the digest of a store path, in bytes. */
const PATH_DIGEST_BYTES = 20;

/** Bytes of the digest of a root directory that tell apart what a store path had at different times. */
const ROOT_BYTES = 8;

/** Contents of a store path: what is recorded of them stays true, whatever the path has later. */
export interface IndexedTree {
  /** Digest of the store path. */
  readonly pathDigest: Uint8Array;
  /** The first 8 bytes of the digest of its root directory. */
  readonly root: Uint8Array;
}

/** A part of what is recorded of a tree. */
export interface IndexedPart extends IndexedTree {
  /** From 0 on. */
  readonly number: number;
}

/** The files of one name in one part of a tree. */
export interface NamedPart extends IndexedPart {
  readonly name: PathComponent;
}

const TREE: Codec<IndexedTree> = {
  encode: ({ pathDigest, root }) => concatBytes([pathDigest, root]),
  decode(bytes) {
    if (bytes.length !== PATH_DIGEST_BYTES + ROOT_BYTES) throw new RangeError(`${bytes.length} bytes`);
    return { pathDigest: bytes.slice(0, PATH_DIGEST_BYTES), root: bytes.slice(PATH_DIGEST_BYTES) };
  },
};

const PART_BYTES = PATH_DIGEST_BYTES + ROOT_BYTES + 4;

const PART: Codec<IndexedPart> = {
  encode(part) {
    const number = new Uint8Array(4);
    new DataView(number.buffer).setUint32(0, part.number);
    return concatBytes([TREE.encode(part), number]);
  },
  decode(bytes) {
    if (bytes.length !== PART_BYTES) throw new RangeError(`${bytes.length} bytes`);
    const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(PART_BYTES - 4);
    return { ...TREE.decode(bytes.subarray(0, PART_BYTES - 4)), number };
  },
};

/** A place among the files of a name: the part, and how many of its files lie before it. */
export interface Position {
  readonly part: IndexedPart;
  readonly files: number;
}

/** A position as text, for those who ask for what comes behind it. */
export function positionToText({ part, files }: Position): string {
  return `${encodeHex(PART.encode(part))}-${files}`;
}

/** The position of such a text; undefined for any other. */
export function positionOfText(text: string): Position | undefined {
  const [, digits = "", files] = /^([0-9a-f]{64})-([0-9]{1,6})$/.exec(text) ?? [];
  const part = decodeHex(digits);
  return part === undefined || files === undefined
    ? undefined
    : { part: PART.decode(part), files: Number(files) };
}

/** Whether two are of one tree. */
export function isSameTree(one: IndexedTree, other: IndexedTree): boolean {
  return equalBytes(one.pathDigest, other.pathDigest) && equalBytes(one.root, other.root);
}

/** How far a tree is indexed. */
export type IndexState =
  | { readonly type: "complete" }
  /** It has too many entries, and none of them is in the index. */
  | { readonly type: "too large" }
  /** Somebody is at it; whoever begins anew, or removes it, takes another token. */
  | { readonly type: "under way"; readonly token: Uint8Array };

const TOKEN_BYTES = 16;

/** That somebody is at a tree from now on, and nobody else. */
export function underWay(): IndexState {
  return { type: "under way", token: crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)) };
}

/**
 * How far trees are indexed: nothing (complete), one byte (too large), or 16 random bytes of whoever is at it.
 *
 * The tables of the index lie in the order in which they may be removed at any moment: this one first.
 */
export const INDEXED_TREES: Table<IndexedTree, IndexState> = new Table({
  prefix: "~i1",
  subject: ({ pathDigest }) => `the index of ${encodeNixbase32(pathDigest)}`,
  key: TREE,
  value: {
    encode: (state) =>
      state.type === "under way" ? state.token : new Uint8Array(state.type === "complete" ? 0 : 1),
    decode(bytes) {
      if (bytes.length === TOKEN_BYTES) return { type: "under way", token: bytes };
      if (bytes.length > 1) throw new RangeError(`${bytes.length} bytes`);
      return { type: bytes.length === 0 ? "complete" : "too large" };
    },
  },
  sealed: true,
});

/** Which names are in a part of a tree, with NUL between them: what is to be removed with it. */
export const INDEXED_PARTS: Table<IndexedPart, readonly PathComponent[]> = new Table({
  prefix: "~j1",
  subject: ({ pathDigest }) => `the index of ${encodeNixbase32(pathDigest)}`,
  key: PART,
  value: {
    encode: (names) =>
      concatBytes(names.flatMap(({ bytes }, index) => (index === 0 ? [bytes] : [NUL, bytes]))),
    decode: (bytes) => splitAtNul(bytes).map((name) => PathComponent.from(name)),
  },
  sealed: true,
});

const NUL = Uint8Array.of(0);

/** Where files of a name are: name, NUL, part. */
export const NAMED_FILES: Table<NamedPart, readonly PlaceInTree[]> = new Table({
  prefix: "~k1",
  subject: ({ name }) => `the files named ${name}`,
  key: {
    encode: (part) => concatBytes([part.name.bytes, NUL, PART.encode(part)]),
    decode(bytes) {
      const end = bytes.indexOf(0);
      return { name: PathComponent.from(bytes.slice(0, end)), ...PART.decode(bytes.slice(end + 1)) };
    },
  },
  value: { encode: encodePlaces, decode: decodePlaces },
  sealed: true,
});

/** What the keys of {@link NAMED_FILES} begin with that are of a name. */
export function keyPrefixOf(name: PathComponent): Uint8Array {
  return concatBytes([name.bytes, NUL]);
}

function splitAtNul(bytes: Uint8Array): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, start)) {
    parts.push(bytes.slice(start, end));
    start = end + 1;
  }
  parts.push(bytes.slice(start));
  return parts;
}
