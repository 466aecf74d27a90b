import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { mapConcurrently, type OperationOptions } from "@tvix/castore";
import { operationOf } from "@tvix/castore-grpc";
import { type ListRequest, LookupService, type StoreFiguresSchema } from "@tvix/protocol/lookup";
import { formatPathInfo, type PathInfo, type PathInfoService } from "@tvix/store";
import { toConnectError } from "@tvix/store/grpc";
import type { Arrivals, PageRequest, PathInfoPages, StoreFigures } from "@tvix/store/records";

/** What is looked up. */
export interface LookupServices {
  readonly pathInfoService: PathInfoService;
  /** Where path infos are kept by this server. */
  readonly kept: KeptPaths | undefined;
}

/** What a server knows of path infos that it keeps itself. */
export interface KeptPaths {
  readonly pages: PathInfoPages;
  readonly arrivals: Pick<Arrivals, "newest">;
  readonly figures: { list(options?: OperationOptions): Promise<readonly StoreFigures[]> };
}

/** Most paths in one request. */
const MAX_DIGESTS = 10_000;

/** Paths that are looked up at a time. */
const AT_ONCE = 64;

/** Longest request, in bytes: as many. Each entry of a list becomes an object, however short. */
const MAX_REQUEST_BYTES = 512 << 10;

const DEFAULT_PAGE = 100;
const MAX_PAGE = 1000;

const DEFAULT_NEWEST = 20;

/** Serves look-ups of many store paths in one call. */
export function addLookupRoutes(router: ConnectRouter, { pathInfoService, kept }: LookupServices): void {
  router.service(
    LookupService,
    {
      async hasMany({ pathDigests }, context) {
        try {
          const found: Uint8Array[] = [];
          for await (const info of lookUp(pathInfoService, pathDigests, operationOf(context))) {
            if (info !== undefined) found.push(info.storePath.digest);
          }
          return { pathDigests: found };
        } catch (error) {
          throw toConnectError(error, context.signal);
        }
      },

      async *getMany({ pathDigests }, context) {
        try {
          for await (const info of lookUp(pathInfoService, pathDigests, operationOf(context))) {
            if (info !== undefined) yield { pathInfo: formatPathInfo(info) };
          }
        } catch (error) {
          throw toConnectError(error, context.signal);
        }
      },

      async list(request, context) {
        try {
          const { pages } = checkKept(kept);
          const { infos, next } = await pages.page(parseListRequest(request), operationOf(context));
          return {
            pathInfos: infos.map(formatPathInfo),
            nextPageToken: next === undefined ? "" : Buffer.from(next).toString("hex"),
          };
        } catch (error) {
          throw toConnectError(error, context.signal);
        }
      },

      async listNewest({ count }, context) {
        try {
          const { arrivals } = checkKept(kept);
          if (count > MAX_PAGE) throw invalid(`count: ${count}, at most ${MAX_PAGE}`);
          const newest = await arrivals.newest(count === 0 ? DEFAULT_NEWEST : count, operationOf(context));
          return {
            paths: newest.map(({ info, time }) => ({
              pathInfo: formatPathInfo(info),
              timeMillis: BigInt(time),
            })),
          };
        } catch (error) {
          throw toConnectError(error, context.signal);
        }
      },

      async listFigures(_request, context) {
        try {
          const figures = await checkKept(kept).figures.list(operationOf(context));
          return { figures: figures.map(formatFigures) };
        } catch (error) {
          throw toConnectError(error, context.signal);
        }
      },
    },
    { readMaxBytes: MAX_REQUEST_BYTES },
  );
}

/** What is known of each of some paths, in their order; undefined for those that are not there. */
function lookUp(
  service: PathInfoService,
  digests: readonly Uint8Array[],
  options: OperationOptions,
): AsyncIterable<PathInfo | undefined> {
  if (digests.length > MAX_DIGESTS) {
    throw invalid(`path_digests: ${digests.length} of them, at most ${MAX_DIGESTS} can be asked for at once`);
  }
  for (const [index, { length }] of digests.entries()) {
    if (length !== 20) throw invalid(`path_digests[${index}]: invalid length: ${length}, expected 20 bytes`);
  }
  return mapConcurrently(digests, AT_ONCE, (digest) => service.get(digest, options));
}

function checkKept(kept: KeptPaths | undefined): KeptPaths {
  if (kept !== undefined) return kept;
  throw new ConnectError("this server keeps no path infos itself", Code.Unimplemented);
}

function formatFigures(figures: StoreFigures): MessageInitShape<typeof StoreFiguresSchema> {
  const { time, paths, directories, blobs, chunks, narBytes, chunkBytes, storedBytes } = figures;
  return {
    timeMillis: BigInt(time),
    paths: BigInt(paths),
    directories: BigInt(directories),
    blobs: BigInt(blobs),
    chunks: BigInt(chunks),
    narBytes: BigInt(narBytes),
    chunkBytes: BigInt(chunkBytes),
    storedBytes: BigInt(storedBytes),
  };
}

function parseListRequest({ digestPrefix, nameContains, pageSize, pageToken }: ListRequest): PageRequest {
  if (!/^[0-9a-df-np-sv-z]{0,32}$/.test(digestPrefix)) {
    throw invalid(
      `digest_prefix: ${JSON.stringify(digestPrefix.slice(0, 100))} is no beginning of 32 digits of nixbase32`,
    );
  }
  if (nameContains.length > 211) throw invalid("name_contains: no name is so long");
  if (pageSize > MAX_PAGE) throw invalid(`page_size: ${pageSize}, at most ${MAX_PAGE}`);
  if (!/^(?:[0-9a-f]{40})?$/.test(pageToken)) throw invalid("page_token: it is none that was given here");
  return {
    digestPrefix,
    nameContains,
    size: pageSize === 0 ? DEFAULT_PAGE : pageSize,
    after: pageToken === "" ? undefined : new Uint8Array(Buffer.from(pageToken, "hex")),
  };
}

function invalid(text: string): ConnectError {
  return new ConnectError(text, Code.InvalidArgument);
}
