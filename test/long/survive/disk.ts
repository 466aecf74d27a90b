import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Random } from "./random.ts";
import { pathOfHandle, stringsOf, type TracedCall } from "./trace.ts";

/** A change of the bytes of a file, and from which line of the trace on it is certainly on the disk. */
interface FileChange {
  readonly began: number;
  readonly ended: number;
  /** Where bytes go to; without bytes, where the file is cut off. */
  readonly offset: number;
  readonly bytes: Buffer | undefined;
  durable: number;
}

interface TracedFile {
  readonly changes: FileChange[];
  /** As far as programs see. */
  length: number;
  /** Whether each write is flushed. */
  isFlushed: boolean;
}

/** A change of the names in folders. */
interface NameChange {
  readonly began: number;
  readonly ended: number;
  readonly path: string;
  /** What the name is of from then on; undefined when it is gone. */
  readonly file: TracedFile | undefined;
  durable: number;
}

const NEVER = Number.POSITIVE_INFINITY;

/** What unflushed writes a power cut leaves: a first part of those of each file, or any of them. */
export type Loss = "in-order" | "with-holes";

/**
 * A disk that knows what was flushed: made of the system calls of a process, it can say what would be left of a folder
 * after a power cut at any moment. Names are kept in order, as journaling file systems do, and those before the flush of a
 * file are on the disk with it.
 */
export class TracedDisk {
  readonly #root: string;
  readonly #names: NameChange[] = [];
  readonly #files = new Map<string, TracedFile>();

  /** @param root folder of which the disk knows */
  constructor(root: string) {
    this.#root = root;
  }

  /** Notes a call; those of one file come in the order in which they ended. */
  add(call: TracedCall): void {
    const { name, args } = call;
    if (name === "openat") this.#open(call);
    else if (name === "rename" || name === "renameat" || name === "renameat2") this.#rename(call);
    else if (name === "unlink" || name === "unlinkat") this.#name(call, this.#lastString(args), undefined);
    else if (name.includes("write")) this.#write(call);
    else if (name === "ftruncate" || name === "truncate") this.#truncate(call);
    else if (name === "fsync" || name === "fdatasync") this.#flush(call, pathOfHandle(args));
  }

  /** Makes the folder as it could be after a power cut behind a line of the trace. */
  async leave(to: string, line: number, loss: Loss, random: Random): Promise<void> {
    const names = this.#names.filter(({ began }) => began <= line);
    const certain = names.filter(({ durable }) => durable <= line).length;
    const kept = certain + random.below(names.length - certain + 1);
    const files = new Map<string, TracedFile>();
    for (const { path, file } of names.slice(0, kept)) {
      if (file === undefined) files.delete(path);
      else files.set(path, file);
    }
    for (const folder of ["index", "packs", "journal"]) await mkdir(join(to, folder), { recursive: true });
    for (const [path, file] of files) {
      const target = join(to, path.slice(this.#root.length));
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, contentsAt(file, line, loss, random));
    }
  }

  #open(call: TracedCall): void {
    const path = this.#lastString(call.args);
    if (!this.#isWithin(path)) return;
    const isFlushed = /O_D?SYNC/.test(call.args);
    const known = this.#files.get(path);
    if (known !== undefined) {
      if (/O_TRUNC/.test(call.args)) this.#change(call, known, 0, undefined);
      // One of several handles: the flag is that of the one which writes.
      if (/O_RDWR|O_WRONLY/.test(call.args)) known.isFlushed = isFlushed;
      return;
    }
    if (!/O_CREAT/.test(call.args)) return;
    this.#name(call, path, { changes: [], length: 0, isFlushed });
  }

  #name(call: TracedCall, path: string, file: TracedFile | undefined): void {
    if (!this.#isWithin(path)) return;
    if (file === undefined) this.#files.delete(path);
    else this.#files.set(path, file);
    const { began, ended } = call;
    this.#names.push({ began, ended, path, file, durable: NEVER });
  }

  #rename(call: TracedCall): void {
    const [from = "", to = ""] = stringsOf(call.args).map(String);
    const file = this.#files.get(from);
    if (file === undefined) return;
    this.#name(call, to, file);
    this.#name(call, from, undefined);
  }

  #write(call: TracedCall): void {
    const file = this.#files.get(pathOfHandle(call.args) ?? "");
    if (file === undefined) return;
    const written = Number.parseInt(call.result, 10);
    const bytes = Buffer.concat(stringsOf(call.args.slice(call.args.indexOf(",")))).subarray(0, written);
    const isPlaced = call.name.startsWith("p");
    const offset = isPlaced ? Number(/(\d+)$/.exec(call.args)?.[1]) : file.length;
    const change = this.#change(call, file, offset, bytes);
    if (!file.isFlushed) return;
    change.durable = call.ended;
    this.#settleNames(call);
  }

  #truncate(call: TracedCall): void {
    const path = pathOfHandle(call.args) ?? this.#lastString(call.args);
    const file = this.#files.get(path);
    if (file !== undefined) this.#change(call, file, Number(/(\d+)$/.exec(call.args)?.[1]), undefined);
  }

  #change(call: TracedCall, file: TracedFile, offset: number, bytes: Buffer | undefined): FileChange {
    const { began, ended } = call;
    const change: FileChange = { began, ended, offset, bytes, durable: NEVER };
    file.changes.push(change);
    file.length = bytes === undefined ? offset : Math.max(file.length, offset + bytes.length);
    return change;
  }

  #flush(call: TracedCall, path: string | undefined): void {
    if (path === undefined || !this.#isWithin(path)) return;
    const file = this.#files.get(path);
    for (const change of file?.changes ?? []) {
      if (change.ended < call.began && change.durable === NEVER) change.durable = call.ended;
    }
    this.#settleNames(call);
  }

  #settleNames(call: TracedCall): void {
    for (const change of this.#names) {
      if (change.ended < call.began && change.durable === NEVER) change.durable = call.ended;
    }
  }

  #isWithin(path: string): boolean {
    return path.startsWith(`${this.#root}/`);
  }

  #lastString(args: string): string {
    return String(stringsOf(args).at(-1) ?? "");
  }
}

function contentsAt(file: TracedFile, line: number, loss: Loss, random: Random): Buffer {
  const begun = file.changes.filter(({ began }) => began <= line);
  const unsure = begun.filter(({ durable }) => durable > line);
  const kept = new Set(
    loss === "in-order"
      ? unsure.slice(0, random.below(unsure.length + 1))
      : unsure.filter(() => random.below(2) === 0),
  );
  let contents: Buffer = Buffer.alloc(0);
  for (const change of begun) {
    const isCertain = change.durable <= line;
    // Of the one that was under way, any part.
    const isTorn = !isCertain && !kept.has(change) && random.below(4) === 0;
    if (!isCertain && !kept.has(change) && !isTorn) continue;
    const { offset, bytes } = change;
    if (bytes === undefined) {
      contents = resized(contents, offset);
      continue;
    }
    const part = isTorn ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes;
    contents = resized(contents, Math.max(contents.length, offset + part.length));
    part.copy(contents, offset);
  }
  return contents;
}

function resized(contents: Buffer, length: number): Buffer {
  if (length <= contents.length) return contents.subarray(0, length);
  return Buffer.concat([contents, Buffer.alloc(length - contents.length)]);
}
