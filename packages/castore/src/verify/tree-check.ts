import type { B3Digest } from "../digest/b3-digest.ts";
import { type Directory, filesOf } from "../directory/directory.ts";
import type { Node } from "../directory/node.ts";
import { decodeDirectory } from "../directory/parse.ts";
import type { OperationOptions } from "../options.ts";
import type { RecordStore } from "../records/record-store.ts";
import { CONTENT, type Content, DIRECTORIES } from "../records/tables.ts";
import { BlobCheck } from "./blob-check.ts";
import type { Fault } from "./fault.ts";
import { isFault } from "./verify-contents.ts";

/** What is known of something that was looked at: that all of it is there, or that something below is not. */
const [WHOLE, BROKEN] = [Uint8Array.of(0), Uint8Array.of(1)];

/** Faults of one tree that are told. */
const MOST_FAULTS = 100;

/**
 * Looks whether trees are whole, as far as records tell. What is below several is looked at once; what is known is kept
 * in records of its own, so that memory does not grow with their number.
 */
export class TreeCheck {
  readonly #records: RecordStore;
  readonly #scratch: RecordStore;
  readonly #blobs: BlobCheck;

  /** @param scratch is empty, and nobody else's */
  constructor(records: RecordStore, scratch: RecordStore) {
    this.#records = records;
    this.#scratch = scratch;
    this.#blobs = new BlobCheck(records);
  }

  /** What is wrong below a node; nothing for one that is whole. */
  async faultsOf(node: Node, options: OperationOptions = {}): Promise<readonly Fault[]> {
    const broken = await this.brokenBelow(node, MOST_FAULTS, options);
    return await Promise.all(broken.map((content) => this.#describe(content)));
  }

  /** What cannot be read below a node, up to some number of pieces; nothing for one that is whole. */
  async brokenBelow(node: Node, most: number, options: OperationOptions = {}): Promise<readonly Content[]> {
    if (node.type === "symlink") return [];
    const content = contentOf(node);
    return (await this.#isWhole(content, options)) ? [] : await this.#gather(content, most);
  }

  /** Children before parents, whatever the depth. */
  async #isWhole(root: Content, { signal }: OperationOptions): Promise<boolean> {
    const waiting: { readonly content: Content; readonly below: readonly Content[] | undefined }[] = [
      { content: root, below: undefined },
    ];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      signal?.throwIfAborted();
      const { content, below } = next;
      if (below === undefined && (await this.#known(content)) !== undefined) continue;
      const children = below ?? (await this.#childrenOf(content));
      if (children === undefined) await this.#note(content, false);
      else if (below === undefined && children.length > 0) {
        waiting.push({ content, below: children });
        for (const child of children) waiting.push({ content: child, below: undefined });
      } else {
        const known = await this.#scratch.getMany(children.map(CONTENT.encode));
        await this.#note(
          content,
          known.every((one) => one?.[0] === WHOLE[0]),
        );
      }
    }
    return (await this.#known(root)) === true;
  }

  /** What lies below something; undefined for what cannot be read, or is not there. */
  async #childrenOf(content: Content): Promise<readonly Content[] | undefined> {
    try {
      if (content.kind !== "directory") {
        await this.#blobs.blob(content.digest);
        return [];
      }
      const directory = await this.#directory(content.digest);
      return directory && childrenOf(directory);
    } catch (error) {
      if (isFault(error)) return undefined;
      throw error;
    }
  }

  async #gather(content: Content, most: number): Promise<readonly Content[]> {
    const broken: Content[] = [];
    const seen = new Set<string>();
    const waiting = [content];
    for (let next = waiting.pop(); next !== undefined && broken.length < most; next = waiting.pop()) {
      const name = `${next.kind} ${next.digest}`;
      if (seen.has(name)) continue;
      seen.add(name);
      const children = await this.#childrenOf(next);
      if (children === undefined) broken.push(next);
      for (const child of children ?? []) if ((await this.#known(child)) === false) waiting.push(child);
    }
    return broken;
  }

  async #describe({ kind, digest }: Content): Promise<Fault> {
    const subject = kind;
    const name = digest.toString();
    try {
      if (kind !== "directory") await this.#blobs.blob(digest);
      else if ((await this.#directory(digest)) === undefined) {
        return { subject, name, kind: "missing", text: `directory ${name} is missing` };
      }
      return { subject, name, kind: "damaged", text: `${kind} ${name} could not be read` };
    } catch (error) {
      const isMissing = (error as { code?: string }).code === "INCOMPLETE";
      return { subject, name, kind: isMissing ? "missing" : "damaged", text: (error as Error).message };
    }
  }

  async #directory(digest: B3Digest): Promise<Directory | undefined> {
    const encoded = await DIRECTORIES.get(this.#records, digest);
    return encoded === undefined ? undefined : decodeDirectory(encoded, digest);
  }

  async #known(content: Content): Promise<boolean | undefined> {
    const value = await this.#scratch.get(CONTENT.encode(content));
    return value && value[0] === WHOLE[0];
  }

  async #note(content: Content, isWhole: boolean): Promise<void> {
    await this.#scratch.write([
      { type: "put", key: CONTENT.encode(content), value: isWhole ? WHOLE : BROKEN },
    ]);
  }
}

function contentOf(node: Exclude<Node, { type: "symlink" }>): Content {
  return { kind: node.type === "directory" ? "directory" : "blob", digest: node.digest };
}

function childrenOf(directory: Directory): Content[] {
  const files = filesOf(directory).map((digest): Content => ({ kind: "blob", digest }));
  return [...files, ...Array.from(directory.children(), ({ node }) => contentOf(node))];
}
