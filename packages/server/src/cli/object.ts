import type { Node } from "@tvix/castore";
import { STORE_DIR, StorePath } from "@tvix/nix-compat";
import type { PathInfo, PathInfoService } from "@tvix/store";
import type { Services } from "../services.ts";
import { findRoot } from "./find-node.ts";
import { type NodeName, parseNodeName } from "./node-name.ts";
import { parsed } from "./parse.ts";

/** What a user calls an object of the store: its path, or the digest of its contents. */
export type ObjectName = StorePath | NodeName;

/** How {@link parseObject} is described to users. */
export const OBJECT: string = `a store path (with or without ${STORE_DIR}/), or the digest of a directory or blob`;

/** An argument that names an object. */
export function parseObject(text: string): ObjectName {
  const isPath = text.startsWith(`${STORE_DIR}/`) || /^[0-9a-z]{32}-/.test(text);
  return isPath ? parseStorePath(text) : parsed(text, parseNodeName);
}

/** An argument that is a store path, with or without the directory. */
export function parseStorePath(text: string): StorePath {
  return parsed(text, (path) =>
    path.startsWith("/") ? StorePath.fromAbsolute(path) : StorePath.fromBaseName(path),
  );
}

/** @throws Error when nothing is known of the path */
export async function findPathInfo(service: PathInfoService, path: StorePath): Promise<PathInfo> {
  const info = await service.get(path.digest);
  if (info === undefined || !info.storePath.equals(path)) {
    throw new Error(`${path.toAbsolute()} is not in the store`);
  }
  return info;
}

/** The contents of an object. */
export async function findObject(services: Services, name: ObjectName): Promise<Node> {
  if (name instanceof StorePath) return (await findPathInfo(services.pathInfoService, name)).node;
  return await findRoot(services, name, { executable: false });
}
