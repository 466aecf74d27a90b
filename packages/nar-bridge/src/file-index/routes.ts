import { bytesToJson, CastoreError, CastorePath } from "@tvix/castore";
import { leavingOf, percentDecoded } from "@tvix/http-resource";
import type { FoundFile } from "@tvix/store/records";
import type { FastifyInstance } from "fastify";
import { NarBridgeError } from "../errors.ts";
import { shown } from "../http/paths.ts";
import type { Bridge } from "../options.ts";

/** Where files are searched for; announced in `nix-cache-info`. */
export const FILE_INDEX_PATH = "/index/files";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

/** Answers which store paths have a file of some name, where that is kept. */
export function addFileIndexRoutes(app: FastifyInstance, { fileIndex }: Bridge): void {
  app.get(FILE_INDEX_PATH, async (request, reply) => {
    if (fileIndex === undefined) {
      throw new NarBridgeError("NOT_FOUND", "no index of files is kept here: the daemon needs --file-index");
    }
    const { name = "", limit, after } = parametersOf(request.url);
    const found = await fileIndex.find(
      { path: parseName(name), size: parseLimit(limit), after },
      { signal: leavingOf(reply).signal },
    );
    if (found === undefined) throw invalid(`after: ${shown(after ?? "")} is none that was given as next`);
    reply.header("cache-control", "no-store");
    return { files: found.files.map(fileToJson), next: found.next };
  });
}

function fileToJson({ info, path, type, size }: FoundFile): Record<string, unknown> {
  const place = { storePath: info.storePath.toAbsolute(), ...bytesToJson("path", path) };
  if (type === "directory" || type === "symlink") return { ...place, type };
  const length = size <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(size) : String(size);
  return { ...place, type: "regular", size: length, executable: type === "executable" };
}

/** What stands behind the question mark: names of files need not be UTF-8. */
function parametersOf(url: string): { readonly [name: string]: string | undefined } {
  const query = /\?([^#]*)/.exec(url)?.[1] ?? "";
  return Object.fromEntries(query.split("&").map((part) => part.split(/=(.*)/s, 2)));
}

function parseName(text: string): CastorePath {
  try {
    const path = CastorePath.parse(percentDecoded(text));
    if (path.name !== undefined) return path;
  } catch (cause) {
    if (!CastoreError.is(cause)) throw cause;
    throw new NarBridgeError("INVALID_REQUEST", `name: ${cause.message}`, { cause });
  }
  throw invalid("name: which name files have is to be said, such as in ?name=bin/hello");
}

function parseLimit(text = String(DEFAULT_LIMIT)): number {
  const limit = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_LIMIT) {
    throw invalid(`limit: ${shown(text)} is no number from 1 to ${MAX_LIMIT}`);
  }
  return limit;
}

function invalid(text: string): NarBridgeError {
  return new NarBridgeError("INVALID_REQUEST", text);
}
