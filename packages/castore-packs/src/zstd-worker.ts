import { isMainThread, parentPort } from "node:worker_threads";
import { FrameCompressor } from "./frame-compressor.ts";
import { looksRandom } from "./looks-random.ts";

/** Memory that a batch of chunks travels in, both ways. */
export interface Slot {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

/** From the pool: the slots of this worker first, then batches, and the end. */
export type ToWorker =
  | { readonly type: "start"; readonly level: number; readonly slots: readonly Slot[] }
  | { readonly type: "compress"; readonly slot: number; readonly lengths: readonly number[] }
  | { readonly type: "end" };

/** To the pool: lengths of the frames in the output, 0 for a chunk that does not compress. */
export interface FromWorker {
  readonly slot: number;
  readonly lengths: readonly number[];
}

/** A frame is kept when it saves at least one byte in so many. */
const LEAST_GAIN = 32;

if (!isMainThread && parentPort !== null) serve(parentPort);

/** Compresses batches until the pool says that it is the end. */
function serve(port: NonNullable<typeof parentPort>): void {
  let slots: readonly Slot[] = [];
  let compressor: FrameCompressor;
  port.on("message", (message: ToWorker) => {
    if (message.type === "start") {
      slots = message.slots;
      compressor = new FrameCompressor(message.level);
      return;
    }
    if (message.type === "end") {
      port.close();
      return;
    }
    const slot = slots[message.slot] as Slot;
    const reply: FromWorker = { slot: message.slot, lengths: compressAll(slot, message.lengths, compressor) };
    port.postMessage(reply);
  });
}

function compressAll(
  { input, output }: Slot,
  lengths: readonly number[],
  compressor: FrameCompressor,
): number[] {
  let from = 0;
  let to = 0;
  return lengths.map((length) => {
    const chunk = input.subarray(from, from + length);
    from += length;
    if (looksRandom(chunk)) return 0;
    const frame = compressor.compress(chunk);
    const frameLength = frame.reduce((sum, piece) => sum + piece.length, 0);
    if (frameLength > length - length / LEAST_GAIN) return 0;
    for (const piece of frame) {
      output.set(piece, to);
      to += piece.length;
    }
    return frameLength;
  });
}
