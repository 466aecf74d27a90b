import { canAssemble } from "../blob/blob-assembly.ts";
import type { BlobService } from "../blob/blob-service.ts";
import { CallObserver, done, foundOrMissing, type ObserveCall } from "./observe.ts";

/** The same blobs; whoever observes is told of each call. What else the service can do it can still do. */
export function observedBlobService(inner: BlobService, observe: ObserveCall): BlobService {
  const observer = new CallObserver(observe);
  return {
    has: (digest, options) => observer.call("has", foundOrMissing, () => inner.has(digest, options)),
    chunks: (digest, options) => observer.call("chunks", foundOrMissing, () => inner.chunks(digest, options)),
    put: (source, options) => observer.call("put", done, () => inner.put(source, options)),
    async read(digest, options) {
      const find = () => inner.read(digest, options);
      const stream = await observer.call("find", foundOrMissing, find);
      return stream === undefined ? undefined : observer.stream("read", () => stream);
    },
    ...(canAssemble(inner) ? { assemble: () => inner.assemble() } : {}),
    ...("chunkExchange" in inner ? { chunkExchange: inner.chunkExchange } : {}),
  };
}
