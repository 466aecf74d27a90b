import type { BlobService, DirectoryService } from "@tvix/castore";
import { type BinaryCacheAddress, binaryCacheOfTable, parseBinaryCache } from "./binary-cache-address.ts";
import type { OpenContext, Part } from "./entry.ts";
import { KeyError, type Keys, optional, required, service, tableOf, text, texts } from "./keys.ts";
import type { OfAddress } from "./layer-keys.ts";
import { type ServiceType, type ServiceTypeDeclaration, serviceType } from "./service-type.ts";

/** Where the contents of paths are; those of the whole store where nothing is said. */
export interface ContentParts {
  readonly blob_service: Part<"blob"> | undefined;
  readonly directory_service: Part<"directory"> | undefined;
}

/** Keys of {@link ContentParts}. */
export function contentKeys(ofAddress: OfAddress): Keys<ContentParts> {
  return {
    blob_service: optional(service("blob", ofAddress)),
    directory_service: optional(service("directory", ofAddress)),
  };
}

/** Opens {@link ContentParts}. */
export async function contentsOf(
  { blob_service: blobs, directory_service: directories }: ContentParts,
  context: OpenContext,
): Promise<{ blobService: BlobService; directoryService: DirectoryService }> {
  return {
    blobService: await (blobs === undefined ? context.root("blob") : context.part(blobs)),
    directoryService: await (directories === undefined
      ? context.root("directory")
      : context.part(directories)),
  };
}

interface BinaryCache extends ContentParts {
  readonly cache: BinaryCacheAddress;
}

/** Parameters of the address that say where contents go; the others are those of an upstream. */
const CONTENT_PARAMETERS = ["blob_service", "directory_service"] as const;

/** `nix`: the paths of a Nix binary cache, whose contents are stored when they are asked for. */
export function nixType(ofAddress: OfAddress): ServiceType<"path-info"> {
  const keys = tableOf({
    ...contentKeys(ofAddress),
    base_url: required(text),
    public_keys: optional(texts),
  });
  const nix: ServiceTypeDeclaration<"path-info", BinaryCache> = {
    kind: "path-info",
    type: "nix",
    ofTable(table) {
      const { base_url: baseUrl, public_keys: publicKeys, ...contents } = keys(table);
      try {
        return { ...contents, cache: binaryCacheOfTable(baseUrl, publicKeys) };
      } catch (cause) {
        throw new KeyError("base_url", (cause as Error).message);
      }
    },
    ofAddress(address, url) {
      const partOf = <K extends "blob" | "directory">(kind: K, name: (typeof CONTENT_PARAMETERS)[number]) => {
        const value = url.searchParams.get(name);
        return value === null ? undefined : service(kind, ofAddress)(value);
      };
      return {
        cache: parseBinaryCache(withoutParameters(address, CONTENT_PARAMETERS)),
        blob_service: partOf("blob", "blob_service"),
        directory_service: partOf("directory", "directory_service"),
      };
    },
    async open({ cache, ...contents }, context) {
      const { UpstreamPathInfoService } = await import("@tvix/nar-bridge");
      const { environment } = context;
      const { upstream } = cache;
      if (upstream.trustedKeys === undefined) {
        environment.log?.warn(
          { upstream: String(cache) },
          "a binary cache without keys: whatever it tells is believed",
        );
      }
      const service = new UpstreamPathInfoService(upstream, await contentsOf(contents, context), {
        limits: environment.upstreamLimits,
        memory: environment.memory,
        headers: environment.upstreamHeaders,
        log: environment.log,
      });
      return { service, close: () => service.close() };
    },
  };
  return serviceType(nix);
}

/** An address without some parameters, all else as it was written: keys hold plus signs. */
function withoutParameters(address: string, names: readonly string[]): string {
  const [front = "", query] = address.split("?", 2);
  if (query === undefined) return address;
  const kept = query.split("&").filter((pair) => !names.includes(pair.split("=", 1)[0] ?? ""));
  return kept.length === 0 ? front : `${front}?${kept.join("&")}`;
}
