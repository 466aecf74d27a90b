import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { BinaryFieldCounter, JsonFieldCounter } from "./field-counter.ts";
import { parsedBeyond } from "./parsed-memory.ts";

/** What a message that was compressed may take when it is parsed, beyond what is taken for granted, in bytes. */
const MOST_BEYOND = 16 << 20;

/** `{` or `[`, with which a message begins that is JSON. */
const JSON_BEGINS: ReadonlySet<number | undefined> = new Set([0x7b, 0x5b]);

/**
 * A compression whose messages are looked at before they are parsed. Others are accounted for as they come; what these
 * consist of is known to nobody until they are decompressed, and then there is no waiting for memory.
 */
export function refuseDenseMessages(compression: Compression): Compression {
  return {
    ...compression,
    async decompress(bytes, readMaxBytes) {
      const message = await decompressed(compression, bytes, readMaxBytes);
      const counters = [new BinaryFieldCounter(undefined)];
      const all = JSON_BEGINS.has(message[0]) ? [...counters, new JsonFieldCounter()] : counters;
      for (const counter of all) {
        counter.see(message);
        if (parsedBeyond(counter, message.length) > MOST_BEYOND) {
          throw new ConnectError(
            `a compressed message of ${counter.fields} fields in ${message.length} bytes is too much`,
            Code.ResourceExhausted,
          );
        }
      }
      return message;
    },
  };
}

/** @throws ConnectError INVALID_ARGUMENT for what is not, or not whole, what its compression makes; RESOURCE_EXHAUSTED */
async function decompressed(
  compression: Compression,
  bytes: Uint8Array,
  readMaxBytes: number,
): ReturnType<Compression["decompress"]> {
  try {
    return await compression.decompress(bytes, readMaxBytes);
  } catch (cause) {
    const error = ConnectError.from(cause);
    if (error.code === Code.ResourceExhausted) throw error;
    const text = `a message cannot be decompressed with ${compression.name}: ${error.rawMessage}`;
    throw new ConnectError(text, Code.InvalidArgument, undefined, undefined, cause);
  }
}
