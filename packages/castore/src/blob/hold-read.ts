import type { ByteStream } from "@tvix/byte-stream";
import type { HeldMemory, MemoryLedger } from "../memory-use/memory-ledger.ts";

/** Longest piece that a reader may have without being accounted for, in bytes. */
export const FREE_READ_BYTES: number = 16 << 10;

/** From what memory is held, and until when somebody waits for it. */
interface HoldOptions {
  readonly memory: MemoryLedger;
  readonly signal: AbortSignal | undefined;
}

/**
 * A stream whose reader holds memory for one of its pieces until it ends: a slow one keeps that.
 *
 * @param bytes of the longest piece
 */
export async function* holdRead(
  bytes: number,
  stream: ByteStream,
  { memory, signal }: HoldOptions,
): ByteStream {
  const held = await memory.hold(bytes, "a read", { signal });
  const release = releasing(held, signal);
  try {
    yield* stream;
  } finally {
    release();
  }
}

/**
 * The same for what has been read already. Where there is no memory for it, it is let go until there is,
 * and read again: many may wait.
 *
 * @param found what has been read; nobody else refers to it
 */
export async function* holdFound(
  found: { bytes: Uint8Array | undefined },
  readAgain: () => Promise<Uint8Array>,
  { memory, signal }: HoldOptions,
): ByteStream {
  const length = found.bytes?.length ?? 0;
  let held = memory.tryHold(length, "a read");
  if (held === undefined) {
    found.bytes = undefined;
    held = await memory.hold(length, "a read", { signal });
  }
  const release = releasing(held, signal);
  try {
    yield found.bytes ?? (await readAgain());
  } finally {
    release();
  }
}

/** What gives memory back, which the end of the signal does as well: who reads may never say that they have left. */
function releasing(held: HeldMemory, signal: AbortSignal | undefined): () => void {
  const release = () => {
    signal?.removeEventListener("abort", release);
    held.release();
  };
  signal?.addEventListener("abort", release);
  return release;
}
