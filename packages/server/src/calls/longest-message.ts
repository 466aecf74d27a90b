import type { DescMethod } from "@bufbuild/protobuf";

/**
 * Longest request of a call that asks for something or tells what to do, in bytes: names, digests, and what later
 * versions may add.
 */
const QUESTION_BYTES = 64 << 10;

/** Methods with one request that bring something to be stored. */
const BRINGING: ReadonlySet<string> = new Set(
  ["tvix.store.v1.PathInfoService", "snix.store.v1.PathInfoService"].map((service) => `${service}.Put`),
);

/**
 * How long a message of a method may be, in bytes: one that brings something as long as any, all others as long as a question.
 *
 * @param own what its service has said of itself; undefined: nothing
 * @param most how long any may be
 */
export function longestMessage(method: DescMethod, own: number | undefined, most: number): number {
  if (own !== undefined) return Math.min(own, most);
  const brings =
    method.methodKind === "client_streaming" || BRINGING.has(`${method.parent.typeName}.${method.name}`);
  return brings ? most : Math.min(QUESTION_BYTES, most);
}
