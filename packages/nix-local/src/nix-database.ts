import { existsSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { LocalNixError } from "./errors.ts";

/** What the database of Nix has of a path, as it stands there. */
export interface PathRow {
  readonly id: number;
  readonly path: string;
  readonly hash: string;
  readonly narSize: number | null;
  readonly deriver: string | null;
  readonly sigs: string | null;
  readonly ca: string | null;
}

const COLUMNS = "id, path, hash, narSize, deriver, sigs, ca";

/** The database of Nix, which is only read: tables `ValidPaths` and `Refs` of its schema, version 10. */
export class NixDatabase {
  readonly #database: DatabaseSync;
  /** Whether only what was in the file when it was opened is seen. */
  readonly isSnapshot: boolean;
  readonly #byPath: StatementSync;
  readonly #after: StatementSync;
  readonly #references: StatementSync;
  readonly #paths: StatementSync;
  readonly #lastId: StatementSync;

  /** @throws LocalNixError NO_DATABASE */
  constructor(file: string) {
    const { database, isSnapshot } = open(file);
    this.#database = database;
    this.isSnapshot = isSnapshot;
    try {
      this.#byPath = this.#database.prepare(`SELECT ${COLUMNS} FROM ValidPaths WHERE path = ?`);
      this.#after = this.#database.prepare(`SELECT ${COLUMNS} FROM ValidPaths WHERE id > ? ORDER BY id`);
      this.#references = this.#database.prepare(
        "SELECT path FROM Refs JOIN ValidPaths ON reference = id WHERE referrer = ? ORDER BY path",
      );
      this.#paths = this.#database.prepare("SELECT path FROM ValidPaths");
      this.#lastId = this.#database.prepare("SELECT coalesce(max(id), 0) AS id FROM ValidPaths");
    } catch (cause) {
      this.#database.close();
      throw new LocalNixError("NO_DATABASE", `${file} is no database of Nix: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  /** A path that is registered; undefined for another. */
  find(path: string): PathRow | undefined {
    return this.#byPath.get(path) as PathRow | undefined;
  }

  /** Paths that were registered after another one. */
  after(id: number): readonly PathRow[] {
    return this.#after.all(id) as unknown as readonly PathRow[];
  }

  /** The one that was registered last; 0 where there is none. */
  lastId(): number {
    return (this.#lastId.get() as { id: number }).id;
  }

  /** What a path refers to, perhaps itself. */
  references(id: number): readonly string[] {
    return this.#references.all(id).map((row) => String(row["path"]));
  }

  /** Every path that is registered. */
  *paths(): Generator<string, void, undefined> {
    for (const row of this.#paths.iterate()) yield String(row["path"]);
  }

  close(): void {
    this.#database.close();
  }
}

function open(file: string): { readonly database: DatabaseSync; readonly isSnapshot: boolean } {
  if (!existsSync(file)) throw new LocalNixError("NO_DATABASE", `there is no database of Nix at ${file}`);
  try {
    return { database: opened(file), isSnapshot: false };
  } catch {
    // Who may not write beside it cannot share its log with those who do; what is in the file can be read.
  }
  try {
    return { database: opened(`${pathToFileURL(file)}?immutable=1`), isSnapshot: true };
  } catch (cause) {
    throw new LocalNixError(
      "NO_DATABASE",
      `the database of Nix at ${file} cannot be read: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

function opened(location: string): DatabaseSync {
  const database = new DatabaseSync(location, { readOnly: true });
  try {
    database.exec("PRAGMA busy_timeout = 10000");
    database.prepare("SELECT count(*) FROM sqlite_master").get();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
