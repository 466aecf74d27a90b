import type { Node } from "@tvix/castore";
import { StorePath } from "@tvix/nix-compat";
import type { Services } from "../../services.ts";
import { findObject, type ObjectName } from "../object.ts";

/** An object of the store, and what it is called. */
export interface NamedObject {
  readonly name: string;
  readonly node: Node;
}

/** Objects that were named; or where none were, every store path. @throws Error for one that is not in the store */
export async function* objectsOf(
  services: Services,
  names: readonly ObjectName[],
): AsyncGenerator<NamedObject, void, undefined> {
  for (const name of names) yield { name: nameOf(name), node: await findObject(services, name) };
  if (names.length > 0) return;
  for await (const { storePath, node } of services.pathInfoService.list()) {
    yield { name: storePath.toAbsolute(), node };
  }
}

/** What an object is called in an answer. */
export function nameOf(name: ObjectName): string {
  return name instanceof StorePath ? name.toAbsolute() : `${name.digest}`;
}
