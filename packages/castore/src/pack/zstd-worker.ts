import { isMainThread, parentPort } from "node:worker_threads";
import { constants, zstdCompressSync } from "node:zlib";

/** Memory that a batch of chunks travels in, both ways. */
export interface Slot {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

/** From the pool: the slots of this worker first, then batches. */
export type ToWorker =
  | { readonly type: "start"; readonly level: number; readonly slots: readonly Slot[] }
  | { readonly type: "compress"; readonly slot: number; readonly lengths: readonly number[] };

/** To the pool: lengths of the frames in the output, 0 for a chunk that does not compress. */
export interface FromWorker {
  readonly slot: number;
  readonly lengths: readonly number[];
}

/** A frame is kept when it saves at least one byte in so many. */
const LEAST_GAIN = 32;

if (!isMainThread && parentPort !== null) serve(parentPort);

/** Compresses batches until the thread is ended. */
function serve(port: NonNullable<typeof parentPort>): void {
  let slots: readonly Slot[] = [];
  let params: Record<number, number> = {};
  port.on("message", (message: ToWorker) => {
    if (message.type === "start") {
      slots = message.slots;
      params = { [constants.ZSTD_c_compressionLevel]: message.level };
      return;
    }
    const slot = slots[message.slot] as Slot;
    const reply: FromWorker = { slot: message.slot, lengths: compressAll(slot, message.lengths, params) };
    port.postMessage(reply);
  });
}

function compressAll(
  { input, output }: Slot,
  lengths: readonly number[],
  params: Record<number, number>,
): number[] {
  let from = 0;
  let to = 0;
  return lengths.map((length) => {
    const chunk = input.subarray(from, from + length);
    from += length;
    const frame = zstdCompressSync(chunk, {
      params,
      pledgedSrcSize: length,
      // One piece, so that nothing has to be put together.
      chunkSize: Math.max(64, length),
    });
    if (frame.length > length - length / LEAST_GAIN) return 0;
    output.set(frame, to);
    to += frame.length;
    return frame.length;
  });
}
