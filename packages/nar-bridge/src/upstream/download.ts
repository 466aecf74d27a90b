import { setTimeout as sleep } from "node:timers/promises";
import type { ByteStream } from "@tvix/byte-stream";
import { fetchFile, type UpstreamFile } from "./fetch.ts";
import { StallWatch } from "./stall-watch.ts";
import type { Upstream } from "./upstream.ts";
import { UpstreamError } from "./upstream-error.ts";
import type { WebClient } from "./web-client.ts";

/** How often a file is asked for again, when it has broken off without a byte more. */
const TRIES = 4;

/** Time before the first of them, in milliseconds; each further one waits twice as long. */
const FIRST_WAIT_MS = 250;

/**
 * A file of an upstream, without its Content-Encoding. When it breaks off, the rest is asked for a
 * few times: as a part where the upstream has parts, else the beginning is read again and dropped.
 *
 * @throws UpstreamError, as its last failure; one that says that there is no such file, if so
 */
export async function* download(
  client: WebClient,
  upstream: Upstream,
  location: string,
  signal: AbortSignal,
): ByteStream {
  const first = await open(client, upstream, location, signal);
  yield* first.file.decode(resumed(client, upstream, location, signal, first));
}

/** A file, and what gives it up when nothing comes. */
interface Opened {
  readonly file: UpstreamFile;
  readonly stall: StallWatch;
}

async function* resumed(
  client: WebClient,
  upstream: Upstream,
  location: string,
  signal: AbortSignal,
  first: Opened,
): ByteStream {
  let opened: Opened | undefined = first;
  let position = 0;
  for (let tries = 0; ; ) {
    try {
      opened ??= await open(client, upstream, location, signal, {
        start: position,
        validator: first.file.validator,
      });
      // Where the upstream begins anew, so do we; what is behind is behind.
      let at = opened.file.start;
      for await (const piece of opened.stall.watch(opened.file.body)) {
        const fresh = piece.subarray(Math.max(0, position - at));
        at += piece.length;
        if (fresh.length === 0) continue;
        position = at;
        tries = 0;
        yield fresh;
      }
      return;
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      const error =
        cause instanceof UpstreamError
          ? cause
          : new UpstreamError(upstream, "broke off in the middle of a file", { cause, passing: true });
      if (!error.passing || ++tries > TRIES) throw error;
      await sleep(error.retryAfterMs ?? FIRST_WAIT_MS * 2 ** (tries - 1), undefined, { signal });
    } finally {
      opened?.stall.end();
      opened = undefined;
    }
  }
}

async function open(
  client: WebClient,
  upstream: Upstream,
  location: string,
  signal: AbortSignal,
  part?: Parameters<typeof fetchFile>[4],
): Promise<Opened> {
  const stall = new StallWatch(upstream.stallMs);
  const file = await fetchFile(client, upstream, location, AbortSignal.any([signal, stall.signal]), part);
  if (file !== undefined) return { file, stall };
  stall.end();
  throw new UpstreamError(upstream, "has a narinfo without its NAR");
}
