import { readFileSync, statSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { makeDirectory } from "@tvix/castore-fs";
import { SCOPES, type Scope } from "../admission/scope.ts";
import type { TokenRecord } from "./token.ts";

const VERSION = 1;

/** For its owner alone. */
const MODE = 0o600;

/**
 * Tokens in a file of JSON, beside the store rather than in it: they can be made and revoked while a
 * daemon has the store open, which looks at the file again when it changes.
 */
export class TokenFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** What is in the file, nothing where there is none. @throws Error that names the file and what is wrong */
  read(): readonly TokenRecord[] {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
    return parse(text, this.path);
  }

  /** What tells one version of the file from another; undefined where there is none. */
  version(): string | undefined {
    try {
      const { mtimeNs, size, ino } = statSync(this.path, { bigint: true });
      return `${mtimeNs} ${size} ${ino}`;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /**
   * Changes what is in the file, as a whole or not at all. Who changes it at the same time is told.
   *
   * @throws Error when somebody else is changing it
   */
  async change(changed: (records: readonly TokenRecord[]) => readonly TokenRecord[]): Promise<void> {
    await makeDirectory(dirname(this.path));
    const next = `${this.path}.new`;
    // Made by one at a time: whoever comes second does not read what the first is about to replace.
    const handle = await open(next, "wx", MODE).catch((error: unknown) => {
      if (!isExisting(error)) throw error;
      throw new Error(
        `${next} is there: somebody is changing the tokens, or was interrupted; remove it then`,
      );
    });
    try {
      await handle.writeFile(format(changed(this.read())));
      await handle.sync();
      await rename(next, this.path);
    } catch (error) {
      await rm(next, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
  }
}

function format(records: readonly TokenRecord[]): string {
  return `${JSON.stringify({ version: VERSION, tokens: records }, undefined, 2)}\n`;
}

function parse(text: string, path: string): readonly TokenRecord[] {
  const wrong = (what: string) => new Error(`${path} is no file of tokens: ${what}`);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw wrong("it is not JSON");
  }
  const { version, tokens } = (content ?? {}) as { version?: unknown; tokens?: unknown };
  if (version !== VERSION) throw wrong(`its version is ${JSON.stringify(version)}, not ${VERSION}`);
  if (!Array.isArray(tokens)) throw wrong("it has no list of tokens");
  return tokens.map((token: Record<string, unknown>, index) => {
    const { id, name, hash, scope, prefix, created, expires } = token;
    const isText = (value: unknown) => typeof value === "string";
    const isRecord =
      isText(id) &&
      isText(name) &&
      isText(hash) &&
      /^[0-9a-f]{64}$/.test(hash as string) &&
      SCOPES.some((known) => known === scope) &&
      (prefix === undefined || isText(prefix)) &&
      isMoment(created) &&
      (expires === undefined || isMoment(expires));
    if (!isRecord) throw wrong(`token ${index} is not complete`);
    return {
      id: id as string,
      name: name as string,
      hash: hash as string,
      scope: scope as Scope,
      prefix: prefix as string | undefined,
      created: new Date(created as string),
      expires: expires === undefined ? undefined : new Date(expires as string),
    };
  });
}

function isMoment(value: unknown): boolean {
  return typeof value === "string" && !Number.isNaN(Date.parse(value));
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function isExisting(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EEXIST";
}
