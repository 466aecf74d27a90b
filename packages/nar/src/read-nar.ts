import { type ByteSource, copyBytes, escapeBytes } from "@tvix/byte-stream";
import type { NarEntry, NarFile, NarSymlink } from "./entry.ts";
import { NarError } from "./errors.ts";
import { NAR_MAX_DEPTH, NAR_NAME_MAX_BYTES, NAR_TARGET_MAX_BYTES } from "./limits.ts";
import { nameFault, orderFault, targetFault } from "./names.ts";
import { TOKENS } from "./wire/tokens.ts";
import { invalid, WordReader } from "./wire/word-reader.ts";

/** Options of {@link readNar}. */
export interface ReadNarOptions {
  /** Levels of nodes, the root being the first. Default 64, as in Nix. */
  readonly maxDepth?: number;
  /**
   * What may come behind the archive. Default `nothing`: not even a single byte. With
   * `anything` the rest of the source is left alone.
   */
  readonly trailing?: "nothing" | "anything";
}

/** Contents up to this length are read as one piece. */
const WHOLE_BYTES = 64 << 10;

const ROOT_NAME = new Uint8Array(0);

/**
 * Reads a NAR, strictly: only what a NAR writer would have written passes, so writing what was
 * read gives the same bytes again. In one pass, in memory that does not grow, without recursion.
 *
 * The contents of a file are to be read before the next entry is asked for: they may be views
 * of the source's pieces, and are as long valid as these. What is not read of them is skipped.
 *
 * @throws NarError INVALID_NAR, TRUNCATED_NAR or LIMIT_EXCEEDED, with the place in the message
 */
export async function* readNar(
  source: ByteSource,
  options: ReadNarOptions = {},
): AsyncGenerator<NarEntry, void, undefined> {
  const { maxDepth = NAR_MAX_DEPTH, trailing = "nothing" } = options;
  const words = new WordReader(source);
  /** The last name seen in each open directory. */
  const open: (Uint8Array | undefined)[] = [];
  try {
    await words.expect(TOKENS.magic, '"nix-archive-1"');
    for (let name: Uint8Array | undefined = ROOT_NAME; name !== undefined; ) {
      if (open.length >= maxDepth) throw tooDeep(maxDepth);
      const isDirectory: boolean = yield* readNode(words, name);
      if (isDirectory) open.push(undefined);
      name = yield* readNextName(words, open, isDirectory);
    }
    if (trailing === "nothing") await words.expectEnd();
  } finally {
    await words.close();
  }
}

/** Reads a node up to its end, or a directory up to its first entry. */
async function* readNode(words: WordReader, name: Uint8Array): AsyncGenerator<NarEntry, boolean, undefined> {
  await words.expect(TOKENS.nodeStart, '"(" and "type"');
  const at = words.position;
  const type = await words.keyword();
  if (type === "directory") yield { type, name };
  else if (type === "regular") yield* readFile(words, name);
  else if (type === "symlink") yield await readSymlink(words, name);
  else throw invalid(at, `${JSON.stringify(type)} is no type of node`);
  return type === "directory";
}

/**
 * Reads on to the node of the next entry, past the ends of all directories that end here.
 *
 * @param atStart whether nothing of the innermost directory has been read
 * @returns its name; undefined at the end of the root
 */
async function* readNextName(
  words: WordReader,
  open: (Uint8Array | undefined)[],
  atStart: boolean,
): AsyncGenerator<NarEntry, Uint8Array | undefined, undefined> {
  for (let inside = atStart; ; inside = false) {
    if (!inside) {
      if (open.length === 0) return undefined;
      await words.expect(TOKENS.close, '")" behind an entry');
    }
    const name = await readEntryName(words, open.at(-1));
    if (name !== undefined) {
      open[open.length - 1] = name;
      return name;
    }
    open.pop();
    yield { type: "end" };
  }
}

/** The name of the next entry of a directory, undefined at its end. */
async function readEntryName(
  words: WordReader,
  previous: Uint8Array | undefined,
): Promise<Uint8Array | undefined> {
  const keywordAt = words.position;
  const keyword = await words.keyword();
  if (keyword === ")") return undefined;
  if (keyword !== "entry") throw unexpected(keywordAt, '"entry" or ")"', keyword);
  await words.expect(TOKENS.nameStart, '"(" and "name"');
  const at = words.position;
  // A copy: it is compared with the next name, when its piece may be gone.
  const name = copyBytes(await words.string("the name", NAR_NAME_MAX_BYTES));
  const fault = nameFault(name) ?? orderFault(previous, name);
  if (fault !== undefined) throw invalid(at, `the name ${escapeBytes(name)} ${fault}`);
  await words.expect(TOKENS.node, '"node"');
  return name;
}

async function readSymlink(words: WordReader, name: Uint8Array): Promise<NarSymlink> {
  await words.expect(TOKENS.target, '"target"');
  const at = words.position;
  const target = copyBytes(await words.string("the target of a link", NAR_TARGET_MAX_BYTES));
  const fault = targetFault(target);
  if (fault !== undefined) throw invalid(at, `the target of a link ${fault}`);
  await words.expect(TOKENS.close, '")" behind a link');
  return { type: "symlink", name, target };
}

async function* readFile(words: WordReader, name: Uint8Array): AsyncGenerator<NarFile, void, undefined> {
  const at = words.position;
  let keyword = await words.keyword();
  const executable = keyword === "executable";
  if (executable) {
    await words.expect(NO_VALUE, 'an empty value of "executable"');
    keyword = await words.keyword();
  }
  if (keyword !== "contents") throw unexpected(at, '"contents"', keyword);
  const size = await words.length();
  if (size <= WHOLE_BYTES) {
    // Handed over before anything else is read: it may be a view of a piece.
    yield { type: "file", name, executable, size, contents: await words.whole(size) };
    await readFileEnd(words, size);
    return;
  }
  const end = words.position + size;
  yield { type: "file", name, executable, size, contents: words.pieces(size) };
  // What the consumer has left of it.
  for await (const _ of words.pieces(end - words.position));
  await readFileEnd(words, size);
}

/** The length of an empty string, which is all of it. */
const NO_VALUE = new Uint8Array(8);

async function readFileEnd(words: WordReader, size: number): Promise<void> {
  await words.padding(size);
  await words.expect(TOKENS.close, '")" behind a file');
}

function unexpected(at: number, expected: string, found: string): NarError {
  return invalid(at, `expected ${expected}, found ${JSON.stringify(found)}`);
}

function tooDeep(maxDepth: number): NarError {
  return new NarError("LIMIT_EXCEEDED", `the NAR has more than ${maxDepth} levels of directories`);
}
