import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { mapConcurrently, type OperationOptions } from "@tvix/castore";
import { operationOf } from "@tvix/castore-grpc";
import { type ListRequest, LookupService } from "@tvix/protocol/lookup";
import { formatPathInfo, type PathInfo, type PathInfoService } from "@tvix/store";
import { toConnectError } from "@tvix/store/grpc";
import type { PageRequest, PathInfoPages } from "@tvix/store/records";

/** What is looked up. */
export interface LookupServices {
  readonly pathInfoService: PathInfoService;
  /** Where path infos are kept by this server. */
  readonly pages: PathInfoPages | undefined;
}

/** Most paths in one request. */
const MAX_DIGESTS = 10_000;

/** Paths that are looked up at a time. */
const AT_ONCE = 64;

/** Longest request, in bytes: as many. Each entry of a list becomes an object, however short. */
const MAX_REQUEST_BYTES = 512 << 10;

const DEFAULT_PAGE = 100;
const MAX_PAGE = 1000;

/** Serves look-ups of many store paths in one call. */
export function addLookupRoutes(router: ConnectRouter, { pathInfoService, pages }: LookupServices): void {
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
        if (pages === undefined) {
          throw new ConnectError("this server keeps no path infos itself", Code.Unimplemented);
        }
        try {
          const { infos, next } = await pages.page(parseListRequest(request), operationOf(context));
          return {
            pathInfos: infos.map(formatPathInfo),
            nextPageToken: next === undefined ? "" : Buffer.from(next).toString("hex"),
          };
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
