import type { ByteStream } from "@tvix/byte-stream";
import { CastoreError, type Node } from "@tvix/castore";
import { StoreError } from "@tvix/store";
import type { Bridge } from "../options.ts";

/** What is not there, or not as it was stored. */
const DAMAGE: ReadonlySet<string> = new Set(["CORRUPT", "INCOMPLETE", "SIZE_MISMATCH"]);

type Notice = Pick<Bridge, "narLengths" | "narPlans">;

/** Runs what looks at a node; what was known of its lengths is forgotten when it proves damaged. */
export async function noticingDamage<T>(bridge: Notice, node: Node, look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    await forgetDamaged(bridge, node, error);
    throw error;
  }
}

/** The same for bytes that are made of a node. */
export async function* watchedForDamage(bridge: Notice, node: Node, stream: ByteStream): ByteStream {
  try {
    yield* stream;
  } catch (error) {
    await forgetDamaged(bridge, node, error);
    throw error;
  }
}

async function forgetDamaged({ narLengths, narPlans }: Notice, node: Node, error: unknown): Promise<void> {
  const isDamage = (CastoreError.is(error) || StoreError.is(error)) && DAMAGE.has(error.code);
  // Where nothing can be written, this process knows nevertheless.
  if (!isDamage) return;
  await narLengths.forget(node).catch(() => {});
  await narPlans?.forget(node).catch(() => {});
}
