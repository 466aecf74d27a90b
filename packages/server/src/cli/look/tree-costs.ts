import type { DirectoryService, FileNode, Node } from "@tvix/castore";

/** What files of one digest cost. */
interface FileCost {
  readonly size: number;
  /** Which of the objects have it, by their numbers. */
  readonly owners: Set<number>;
  /** Whether something that is not among the objects has it as well. */
  isElsewhere: boolean;
}

/** What an object costs, in bytes of contents, each content once. */
export interface ObjectCost {
  /** Those in directories that are there several times, once. */
  readonly files: number;
  readonly bytes: number;
  /** Of contents that nothing else has: what would be free without it. */
  readonly alone: number;
}

/**
 * Adds up what objects cost, alone and together. Contents are compared as whole files: chunks that different files
 * share are not counted.
 */
export class TreeCosts {
  readonly #directories: DirectoryService;
  readonly #files: Map<string, FileCost> = new Map();
  readonly #counts: number[] = [];
  /** Directories of others that have been looked at. */
  readonly #seen: Set<string> = new Set();

  constructor(directories: DirectoryService) {
    this.#directories = directories;
  }

  /** Takes in an object; they are numbered from 0. */
  async add(root: Node): Promise<void> {
    const number = this.#counts.length;
    this.#counts.push(0);
    await this.#visitFiles(root, new Set(), (file) => {
      this.#counts[number] = (this.#counts[number] ?? 0) + 1;
      const { key } = file.digest;
      const known = this.#files.get(key);
      if (known !== undefined) known.owners.add(number);
      else this.#files.set(key, { size: Number(file.size), owners: new Set([number]), isElsewhere: false });
    });
  }

  /** Looks at something else that may have the same contents; directories that were seen are left out. */
  async compare(root: Node): Promise<void> {
    await this.#visitFiles(root, this.#seen, ({ digest }) => {
      const known = this.#files.get(digest.key);
      if (known !== undefined) known.isElsewhere = true;
    });
  }

  /** Files below a node, but for those in directories that have been seen. */
  async #visitFiles(root: Node, seen: Set<string>, visit: (file: FileNode) => void): Promise<void> {
    const open: Node[] = [root];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (node.type === "file") visit(node);
      if (node.type !== "directory" || seen.has(node.digest.key)) continue;
      seen.add(node.digest.key);
      for (const entry of (await this.#directories.get(node.digest))?.entries ?? []) open.push(entry.node);
    }
  }

  /** What each object costs, in the order in which they came. */
  get costs(): readonly ObjectCost[] {
    const costs = this.#counts.map((files) => ({ files, bytes: 0, alone: 0 }));
    for (const { size, owners, isElsewhere } of this.#files.values()) {
      for (const owner of owners) {
        const cost = costs[owner] as { bytes: number; alone: number };
        cost.bytes += size;
        if (owners.size === 1 && !isElsewhere) cost.alone += size;
      }
    }
    return costs;
  }

  /** Bytes of all objects together, what they share once. */
  get together(): number {
    return [...this.#files.values()].reduce((sum, { size }) => sum + size, 0);
  }
}
