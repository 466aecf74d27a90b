import type { ByteStream } from "@tvix/byte-stream";
import type { Node } from "@tvix/castore";
import type { Resource } from "@tvix/http-resource";
import { type NarRange, renderNar } from "@tvix/store";
import { LRUCache } from "lru-cache";
import { compressLive, type LiveCompression, liveFormTag } from "../compression/compress.ts";
import type { Bridge } from "../options.ts";
import { watchedForDamage } from "./notice-damage.ts";

/** Lengths that are remembered. */
const REMEMBERED = 10_000;

/**
 * NARs compressed while they are sent, for clients that have uploaded them like that. A part of
 * one is made from its beginning, and what lies in front of it dropped.
 */
export class LiveForms {
  readonly #bridge: Bridge;
  /** By tag: they come out when a form has been made once. */
  readonly #lengths: LRUCache<string, number> = new LRUCache({ max: REMEMBERED });

  constructor(bridge: Bridge) {
    this.#bridge = bridge;
  }

  /** @param name of the NAR: its hash */
  form(node: Node, name: string, compression: LiveCompression): Resource {
    const etag = `"${name}-${liveFormTag(compression)}"`;
    const make = (signal: AbortSignal) => this.#make(etag, node, compression, signal);
    return {
      etag,
      length: this.#lengths.get(etag),
      open: (signal, range) => (range === undefined ? make(signal) : between(make(signal), range)),
      async measure(signal) {
        let length = 0;
        for await (const piece of make(signal)) length += piece.length;
        return length;
      },
    };
  }

  async *#make(etag: string, node: Node, compression: LiveCompression, signal: AbortSignal): ByteStream {
    const { readAhead } = this.#bridge;
    let length = 0;
    const nar = renderNar(node, this.#bridge, { signal, readAhead });
    const watched = watchedForDamage(this.#bridge, node, nar);
    for await (const piece of compressLive(watched, compression)) {
      length += piece.length;
      yield piece;
    }
    this.#lengths.set(etag, length);
  }
}

async function* between(stream: ByteStream, { start, end }: NarRange): ByteStream {
  let position = 0;
  for await (const piece of stream) {
    const part = piece.subarray(Math.max(0, start - position), Math.max(0, end - position));
    position += piece.length;
    if (part.length > 0) yield part;
    if (position >= end) return;
  }
}
