import { createHash } from "node:crypto";
import { existsSync, lstatSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { tap } from "@tvix/byte-stream";
import { dumpPath } from "@tvix/nar/fs";
import { Signature } from "@tvix/narinfo";
import { type ContentAddress, NixHash, parseContentAddress, STORE_DIR, StorePath } from "@tvix/nix-compat";
import type { ClosureEntry } from "@tvix/store/node";
import { LocalNixError } from "./errors.ts";
import { NixDatabase, type PathRow } from "./nix-database.ts";
import { findReferences } from "./scan-references.ts";

/** Where the store is. */
export interface LocalNixOptions {
  /** What stands in front of `/nix/store` and `/nix/var`: a store of `nix --store DIRECTORY`. Default: nothing. */
  readonly root?: string | undefined;
}

/** A path in the store of Nix. */
export interface LocalPath extends ClosureEntry {
  readonly contentAddress: ContentAddress | undefined;
  /** Whether Nix knows it; if not, its references were looked for in its files. */
  readonly isRegistered: boolean;
}

/** What was registered after a moment. */
export interface Registered {
  readonly paths: readonly LocalPath[];
  /** Paths whose registration cannot be read, with the reason. */
  readonly unreadable: readonly string[];
  /** The number of the last of them. */
  readonly last: number;
}

/**
 * The store of Nix on this machine, read without Nix: its SQLite database and its files. What a user who may not
 * write there can see is enough.
 */
export class LocalNixStore implements Disposable {
  readonly #root: string;
  #database: NixDatabase;
  /** Where its database is. */
  readonly databaseFile: string;

  private constructor(root: string) {
    this.#root = root;
    this.databaseFile = join(root, "/nix/var/nix/db/db.sqlite");
    this.#database = new NixDatabase(this.databaseFile);
  }

  /** @throws LocalNixError NO_DATABASE */
  static open({ root = "/" }: LocalNixOptions = {}): LocalNixStore {
    return new LocalNixStore(resolve(root));
  }

  /** Where the files of a path are. */
  fileOf(path: StorePath): string {
    return join(this.#root, path.toAbsolute());
  }

  /**
   * The store path that a path of the file system is, lies in, or links to, such as `./result`.
   *
   * @throws LocalNixError NOT_THERE or NOT_A_STORE_PATH
   */
  resolve(path: string): StorePath {
    const store = join(this.#root, STORE_DIR);
    let current = resolve(path);
    // A path of another root is meant as one of this one.
    if (this.#root !== "/" && current.startsWith(`${STORE_DIR}/`)) current = join(this.#root, current);
    if (lstatSync(current, { throwIfNoEntry: false }) === undefined) {
      throw new LocalNixError("NOT_THERE", `${path} does not exist`);
    }
    // A store path may be a link itself: only what lies above it is followed.
    if (!current.startsWith(`${store}/`)) current = this.#followed(current);
    const [name] = current.startsWith(`${store}/`) ? current.slice(store.length + 1).split("/") : [];
    if (name === undefined) {
      throw new LocalNixError("NOT_A_STORE_PATH", `${path} neither is in ${store} nor leads there`);
    }
    return StorePath.fromBaseName(name);
  }

  #followed(path: string): string {
    if (lstatSync(path).isSymbolicLink() && existsSync(path)) return realpathSync(path);
    return join(realpathSync(dirname(path)), basename(path));
  }

  /**
   * Paths with everything that they refer to, references first, each once.
   *
   * @throws LocalNixError NOT_THERE for a path that is neither registered nor there
   */
  async closure(roots: Iterable<StorePath>): Promise<readonly LocalPath[]> {
    const done = new Set<string>();
    const paths: LocalPath[] = [];
    const open: { readonly info: LocalPath; readonly references: Iterator<StorePath> }[] = [];
    const begin = async (path: StorePath) => {
      if (done.has(path.toString())) return;
      done.add(path.toString());
      const info = await this.get(path);
      open.push({ info, references: info.references.values() });
    };
    for (const root of roots) {
      await begin(root);
      for (let innermost = open.at(-1); innermost !== undefined; innermost = open.at(-1)) {
        const next = innermost.references.next();
        if (next.done !== true) {
          await begin(next.value);
          continue;
        }
        open.pop();
        paths.push(innermost.info);
      }
    }
    return paths;
  }

  /** What is known of a path. @throws LocalNixError NOT_THERE */
  async get(path: StorePath): Promise<LocalPath> {
    const row = this.#database.find(path.toAbsolute());
    // Of old registrations the length was not noted.
    return row === undefined || row.narSize === null ? await this.#unregistered(path) : this.#ofRow(row);
  }

  /** The number of the path that was registered last. */
  lastRegistration(): number {
    return this.#database.lastId();
  }

  /** Paths that were registered after a number, with the number of the last of them. */
  registeredAfter(number: number): Registered {
    // One that is read without its log is as it was when it was opened.
    if (this.#database.isSnapshot) this.#reopen();
    const rows = this.#database.after(number);
    const paths: LocalPath[] = [];
    const unreadable: string[] = [];
    for (const row of rows) {
      try {
        paths.push(this.#ofRow(row));
      } catch (error) {
        unreadable.push(`${row.path}: ${(error as Error).message}`);
      }
    }
    return { paths, unreadable, last: rows.at(-1)?.id ?? number };
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #reopen(): void {
    const before = this.#database;
    this.#database = new NixDatabase(this.databaseFile);
    before.close();
  }

  #ofRow(row: PathRow): LocalPath {
    return {
      storePath: StorePath.fromAbsolute(row.path),
      references: this.#database.references(row.id).map((path) => StorePath.fromAbsolute(path)),
      narHash: NixHash.parse(row.hash),
      narSize: row.narSize ?? 0,
      deriver: row.deriver ? StorePath.fromAbsolute(row.deriver) : undefined,
      signatures: signaturesOf(row.sigs ?? ""),
      contentAddress: row.ca ? parseContentAddress(row.ca) : undefined,
      isRegistered: true,
    };
  }

  /** What its files tell: a path that was put there by hand, or whose registration was lost. */
  async #unregistered(path: StorePath): Promise<LocalPath> {
    const file = this.fileOf(path);
    if (lstatSync(file, { throwIfNoEntry: false }) === undefined) {
      throw new LocalNixError("NOT_THERE", `${path.toAbsolute()} is not in the store of Nix`);
    }
    const names = new Map([[path.digestText(), path]]);
    for (const known of this.#database.paths()) {
      const other = StorePath.fromAbsolute(known);
      names.set(other.digestText(), other);
    }
    const hash = createHash("sha256");
    let narSize = 0;
    const nar = tap(dumpPath(file), (piece) => {
      hash.update(piece);
      narSize += piece.length;
    });
    const found = await findReferences(nar, new Set(names.keys()));
    const references = [...found].map((digits) => names.get(digits) as StorePath);
    return {
      storePath: path,
      references: references.sort((a, b) => a.compare(b)),
      narHash: NixHash.from("sha256", new Uint8Array(hash.digest())),
      narSize,
      deriver: undefined,
      signatures: [],
      contentAddress: undefined,
      isRegistered: false,
    };
  }
}

/** Signatures that can be read: Nix passes over others as well. */
function signaturesOf(text: string): readonly Signature[] {
  return text
    .split(" ")
    .filter((one) => one !== "")
    .flatMap((one) => {
      try {
        return [Signature.parse(one)];
      } catch {
        return [];
      }
    });
}
