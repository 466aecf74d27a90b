import { basename } from "node:path";
import { type IngestOptions, ingest, type TreeServices } from "@tvix/castore-fs";
import { buildContentAddressedPath } from "@tvix/nix-compat";
import { StoreError } from "../errors/store-error.ts";
import type { NarCalculationService } from "../nar/calculate.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoService } from "../path-info/path-info-service.ts";

/** Where an imported path goes to. */
export interface ImportServices extends TreeServices {
  readonly pathInfoService: PathInfoService;
  readonly narCalculationService: NarCalculationService;
}

/** Options of {@link importPath}. */
export interface ImportOptions extends IngestOptions {
  /** Name in the store. Default: {@link importName} of the path. */
  readonly name?: string;
}

/**
 * Stores a path of the file system as an object of the store, named by its contents as
 * `nix-store --add` names it, without references.
 *
 * @throws NixCompatError INVALID_STORE_PATH for a name that no store path has; otherwise as
 *   ingesting and calculating do
 */
export async function importPath(
  path: string,
  services: ImportServices,
  options: ImportOptions = {},
): Promise<PathInfo> {
  const { name = importName(path), signal } = options;
  const node = await ingest(path, services, options);
  const { narSize, narHash } = await services.narCalculationService.calculateNar(node, { signal });
  const contentAddress = { method: "nar", hash: narHash } as const;
  const info: PathInfo = {
    storePath: buildContentAddressedPath(name, contentAddress),
    node,
    references: [],
    narSize,
    narHash,
    signatures: [],
    deriver: undefined,
    contentAddress,
  };
  return await services.pathInfoService.put(info, { signal });
}

/**
 * The name that a path is given in the store: its last component, once `..` are resolved.
 *
 * @throws StoreError INVALID_NAME when there is none
 */
export function importName(path: string): string {
  const components: string[] = [];
  for (const component of path.split("/")) {
    if (component === "..") {
      if (components.pop() === undefined) components.push("..");
    } else if (component !== "" && component !== ".") {
      components.push(component);
    }
  }
  const name = /(?:^|\/)\.\.\/*$/.test(path) ? undefined : basename(components.join("/"));
  if (name !== undefined && name !== "" && name !== "..") return name;
  throw new StoreError("INVALID_NAME", `${path} does not say which name the path is to have in the store`);
}
