import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Node } from "@tvix/castore";
import { type Node as NodeMessage, NodeSchema } from "@tvix/protocol/tvix/castore";
import { StoreError } from "../errors/store-error.ts";
import { formatNode } from "./format.ts";
import { parseNode } from "./parse.ts";

const NAMELESS = new Uint8Array(0);

/** The bytes of a Node message with an empty name: a node that nothing refers to by a name. */
export function encodeNamelessNode(node: Node): Uint8Array {
  return toBinary(NodeSchema, create(NodeSchema, formatNode(node, NAMELESS)));
}

/**
 * Reads what {@link encodeNamelessNode} writes.
 *
 * @throws StoreError INVALID_NODE for bytes that are no Node message, a node with a name, and
 *   one that is not valid
 */
export function decodeNamelessNode(bytes: Uint8Array): Node {
  let message: NodeMessage;
  try {
    message = fromBinary(NodeSchema, bytes);
  } catch (cause) {
    throw new StoreError("INVALID_NODE", "not a Node message", { cause });
  }
  try {
    const { name, node } = parseNode(message);
    if (name.length === 0) return node;
  } catch (cause) {
    throw new StoreError("INVALID_NODE", `not a valid node: ${(cause as Error).message}`, { cause });
  }
  throw new StoreError("INVALID_NODE", "the node has a name, where none may be");
}
