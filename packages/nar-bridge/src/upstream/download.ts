import { setTimeout as sleep } from "node:timers/promises";
import type { ByteStream } from "@tvix/byte-stream";
import { type FilePart, fetchFile, type UpstreamFile } from "./fetch.ts";
import { TimeLimit } from "./time-limit.ts";
import type { Upstream } from "./upstream.ts";
import { UpstreamError } from "./upstream-error.ts";
import type { WebClient } from "./web-client.ts";

/** How often a file is asked for again, when it has failed without getting on. */
const TRIES = 4;

/** Bytes that an upstream has to send between failures for them not to add up. */
const PROGRESS_BYTES = 64 << 10;

/** Time before the first of them, in milliseconds; each further one waits twice as long. */
const FIRST_WAIT_MS = 250;

/** Somebody waits for the file: an upstream that asks for more time than this is given up. */
const LONGEST_WAIT_MS = 5000;

/**
 * A file of an upstream, without its Content-Encoding. When it fails or breaks off, it is asked for
 * again a few times: for the rest where the upstream has parts, else the beginning is read again
 * and dropped.
 *
 * @throws UpstreamError, as its last failure; one that says that there is no such file, if so
 */
export async function* download(
  client: WebClient,
  upstream: Upstream,
  location: string,
  signal: AbortSignal,
): ByteStream {
  const downloading = new Download(client, upstream, location, signal);
  const first = await downloading.open();
  yield* first.file.decode(downloading.bytes(first));
}

/** A file, and what gives it up when nothing comes. */
interface Opened {
  readonly file: UpstreamFile;
  readonly stall: TimeLimit;
}

/** One file on its way, over as many requests as it takes. */
class Download {
  readonly #client: WebClient;
  readonly #upstream: Upstream;
  readonly #location: string;
  readonly #signal: AbortSignal;
  /** Failures since so much has come that it counts as progress. */
  #failures = 0;

  constructor(client: WebClient, upstream: Upstream, location: string, signal: AbortSignal) {
    this.#client = client;
    this.#upstream = upstream;
    this.#location = location;
    this.#signal = signal;
  }

  /** Asks for the file, or the rest of it, until there is an answer. */
  async open(part?: FilePart): Promise<Opened> {
    for (;;) {
      try {
        return await this.#ask(part);
      } catch (error) {
        await this.#waitAfter(error);
      }
    }
  }

  /** All bytes of the file. */
  async *bytes(first: Opened): ByteStream {
    let opened = first;
    let progress = PROGRESS_BYTES;
    for (let position = 0; ; ) {
      try {
        // Where the upstream begins anew, so do we; what is behind is behind.
        let at = opened.file.start;
        for await (const piece of opened.stall.watch(opened.file.body)) {
          const fresh = piece.subarray(Math.max(0, position - at));
          at += piece.length;
          if (fresh.length === 0) continue;
          position = at;
          if (position >= progress) {
            this.#failures = 0;
            progress = position + PROGRESS_BYTES;
          }
          yield fresh;
        }
        return;
      } catch (cause) {
        const why = "broke off in the middle of a file";
        await this.#waitAfter(new UpstreamError(this.#upstream, why, { cause, passing: true }));
      } finally {
        opened.stall.end();
      }
      opened = await this.open({ start: position, validator: first.file.validator });
    }
  }

  /** Waits for as long as makes sense after a failure. @throws the failure, when none does */
  async #waitAfter(error: unknown): Promise<void> {
    if (this.#signal.aborted) throw this.#signal.reason;
    if (!(error instanceof UpstreamError) || !error.passing || ++this.#failures > TRIES) throw error;
    const waitMs = error.retryAfterMs ?? FIRST_WAIT_MS * 2 ** (this.#failures - 1);
    if (waitMs > LONGEST_WAIT_MS) throw error;
    await sleep(waitMs, undefined, { signal: this.#signal });
  }

  async #ask(part: FilePart | undefined): Promise<Opened> {
    const stall = new TimeLimit(this.#upstream.stallMs, this.#signal);
    try {
      const file = await fetchFile(this.#client, this.#upstream, this.#location, stall.signal, part);
      if (file !== undefined) return { file, stall };
    } catch (error) {
      stall.end();
      throw error;
    }
    stall.end();
    throw new UpstreamError(this.#upstream, "has a narinfo without its NAR");
  }
}
