import type { ByteStream } from "@tvix/byte-stream";
import { within } from "../http/request-body.ts";
import type { Bridge } from "../options.ts";
import type { SideFile } from "../side-files/side-files.ts";
import { keepSideFile } from "../side-files/store.ts";
import type { AskedUpstream } from "./asked-upstream.ts";
import { fetchFile } from "./fetch.ts";
import { TimeLimit } from "./time-limit.ts";
import { UpstreamError } from "./upstream-error.ts";
import type { WebClient } from "./web-client.ts";

/** What side files are pulled with. */
export interface PullSideFileParts {
  readonly bridge: Bridge;
  readonly client: WebClient;
  /** In the order in which they are asked. */
  readonly upstreams: readonly AskedUpstream[];
}

/** Fetches a file beside the NARs from the first upstream that has it, and keeps it. */
export async function pullSideFile(
  { bridge, client, upstreams }: PullSideFileParts,
  path: string,
  closing: AbortSignal,
): Promise<SideFile | undefined> {
  for (const asked of upstreams) {
    const { upstream } = asked;
    const { found: file } = await asked.ask(path, closing, async () => {
      const stall = new TimeLimit(upstream.stallMs, closing);
      try {
        const found = await fetchFile(client, upstream, path, stall.signal);
        if (found === undefined) return undefined;
        const contents = whole(found.decode(stall.watch(found.body)), asked);
        const bounded = within(contents, bridge.limits.maxSideFileBytes);
        return await keepSideFile(bridge, path, bounded, found.contentType);
      } finally {
        stall.end();
      }
    });
    if (file !== undefined) return file;
  }
  return undefined;
}

/** What breaks off is a failure of the upstream. */
async function* whole(stream: ByteStream, { upstream }: AskedUpstream): ByteStream {
  try {
    yield* stream;
  } catch (cause) {
    throw new UpstreamError(upstream, "broke off in the middle of a file", { cause, passing: true });
  }
}
