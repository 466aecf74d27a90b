import { mapConcurrently, type OperationOptions, postOrder } from "@tvix/castore";
import { type IngestOptions, ingest } from "@tvix/castore-fs";
import { Signature } from "@tvix/narinfo";
import { type ContentAddress, NixHash, StorePath } from "@tvix/nix-compat";
import { StoreError } from "../errors/store-error.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type { ImportServices } from "./import-path.ts";

/** What Nix tells of a path in the file system, by `exportReferencesGraph` or `nix path-info --json`. */
export interface ClosureEntry {
  readonly storePath: StorePath;
  readonly references: readonly StorePath[];
  readonly narHash: NixHash;
  readonly narSize: number;
  readonly deriver: StorePath | undefined;
  readonly signatures: readonly Signature[];
  /** Set for paths that are named by their contents. Default: it is not. */
  readonly contentAddress?: ContentAddress | undefined;
}

/** What has been stored of a closure so far. */
export interface ClosureProgress {
  /** Paths that were not there. */
  readonly stored: number;
  /** Bytes of their files that have been read. */
  readonly bytes: number;
}

/** Options of {@link storeClosure}. */
export interface StoreClosureOptions extends OperationOptions {
  /** Where the files of a path are. Default: where its name says. */
  readonly fileOf?: (path: StorePath) => string;
  readonly onProgress?: (progress: ClosureProgress) => void;
}

/**
 * Reads `{"closure": [{"path", "narHash", "narSize", "references", …}, …]}`, as structured attributes of Nix
 * have it, with `deriver` and `signatures` where they are given; other keys are ignored.
 *
 * @throws Error that names the entry and the key that is wrong
 */
export function parseClosureJson(json: string): readonly ClosureEntry[] {
  const parsed: unknown = JSON.parse(json);
  const closure =
    typeof parsed === "object" && parsed !== null ? (parsed as { closure?: unknown }).closure : undefined;
  if (!Array.isArray(closure)) throw new TypeError('there is no list "closure"');
  return closure.map((entry, index) => parseEntry(entry, `closure[${index}]`));
}

function parseEntry(entry: unknown, where: string): ClosureEntry {
  const value = (typeof entry === "object" && entry !== null ? entry : {}) as Record<string, unknown>;
  const read = <T>(key: string, parse: (value: unknown) => T): T => {
    try {
      return parse(value[key]);
    } catch (cause) {
      throw new Error(`${where}.${key}: ${(cause as Error).message}`, { cause });
    }
  };
  return {
    storePath: read("path", (path) => StorePath.fromAbsolute(textOf(path))),
    references: read("references", (paths) =>
      listOf(paths).map((path) => StorePath.fromAbsolute(textOf(path))),
    ),
    narHash: read("narHash", (hash) => NixHash.parse(textOf(hash))),
    narSize: read("narSize", sizeOf),
    deriver: read("deriver", (path) => (path == null ? undefined : StorePath.fromAbsolute(textOf(path)))),
    signatures: read("signatures", (list) =>
      list == null ? [] : listOf(list).map((one) => Signature.parse(textOf(one))),
    ),
  };
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  throw new TypeError("expected a text");
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError("expected a list");
}

function sizeOf(value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError("expected a whole number");
}

/** Paths whose files are stored at a time. */
const PATHS_AT_ONCE = 4;

/**
 * Stores paths of the file system with what Nix tells of them, each after those it refers to, as far as
 * they are among them. What is there already is left as it is.
 *
 * @returns how many were not there
 * @throws StoreError NAR_HASH_MISMATCH or NAR_SIZE_MISMATCH when the files are others than Nix tells of
 */
export async function storeClosure(
  closure: readonly ClosureEntry[],
  services: ImportServices,
  options: StoreClosureOptions = {},
): Promise<number> {
  const { signal, fileOf = (path) => path.toAbsolute(), onProgress = () => {} } = options;
  let stored = 0;
  let bytes = 0;
  const infos = mapConcurrently(inOrder(closure), PATHS_AT_ONCE, (entry) => {
    let read = 0;
    const watch = (progress: { readonly bytes: number }) => {
      bytes += progress.bytes - read;
      read = progress.bytes;
      onProgress({ stored, bytes });
    };
    return ingestEntry(entry, fileOf(entry.storePath), services, { signal, onProgress: watch });
  });
  for await (const info of infos) {
    if (info === undefined) continue;
    await services.pathInfoService.put(info, { signal });
    stored++;
    onProgress({ stored, bytes });
  }
  return stored;
}

/** What is to be told of a path whose files are stored now; undefined when it is known already. */
async function ingestEntry(
  entry: ClosureEntry,
  file: string,
  services: ImportServices,
  options: IngestOptions,
): Promise<PathInfo | undefined> {
  const { storePath, narHash, narSize, references, deriver, signatures, contentAddress } = entry;
  const { signal } = options;
  const known = await services.pathInfoService.get(storePath.digest, { signal });
  if (known?.storePath.equals(storePath) === true && known.narHash.equals(narHash)) return undefined;
  const node = await ingest(file, services, options);
  const found = await services.narCalculationService.calculateNar(node, { signal });
  if (!found.narHash.equals(narHash)) {
    const text = `${storePath.toAbsolute()} makes the NAR ${found.narHash}, and ${narHash} is told of it`;
    throw new StoreError("NAR_HASH_MISMATCH", text);
  }
  if (found.narSize !== narSize) {
    const text = `${storePath.toAbsolute()} makes a NAR of ${found.narSize} bytes, and ${narSize} are told of it`;
    throw new StoreError("NAR_SIZE_MISMATCH", text);
  }
  return { storePath, node, references, narSize, narHash, signatures, deriver, contentAddress };
}

/** Each entry after those it refers to. */
function* inOrder(closure: readonly ClosureEntry[]): Generator<ClosureEntry, void, undefined> {
  const entries = new Map(closure.map((entry) => [entry.storePath.toString(), entry]));
  const walked = new Set<string>();
  for (const root of entries.values()) {
    yield* postOrder(root, {
      keyOf: ({ storePath }) => storePath.toString(),
      childrenOf: ({ references }) => references.flatMap((path) => entries.get(path.toString()) ?? []),
      walked,
    });
  }
}
