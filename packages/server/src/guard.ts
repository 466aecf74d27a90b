import { readOnlyBlobService, readOnlyDirectoryService } from "@tvix/castore";
import type { PublicKey } from "@tvix/narinfo";
import {
  AdditivePathInfoService,
  type PathInfoService,
  ReferencesPathInfoService,
  readOnlyPathInfoService,
  TrustingPathInfoService,
} from "@tvix/store";
import type { Services } from "./services.ts";

/** What is taken from those who ask, whatever protocol they speak. */
export interface GuardOptions {
  /** Whether anything is. Default true. */
  readonly writable?: boolean | undefined;
  /**
   * `accept`: any path infos. `require`: those whose contents make the NAR they state, with a
   * signature by one of the keys, or whose name follows from their contents. Default `accept`.
   */
  readonly unsigned?: "accept" | "require" | undefined;
  /** Keys for `require`. */
  readonly trustedKeys?: readonly PublicKey[] | undefined;
  /** Whether references have to be there before what refers to them. Default false. */
  readonly checkReferences?: boolean | undefined;
}

/**
 * The same services as those who ask may use them: the rules lie around the services, so that every
 * protocol in front of them passes them.
 */
export function guarded<T extends Services>(services: T, options: GuardOptions = {}): T {
  const { writable = true } = options;
  if (!writable) {
    return {
      ...services,
      blobService: readOnlyBlobService(services.blobService),
      directoryService: readOnlyDirectoryService(services.directoryService),
      pathInfoService: readOnlyPathInfoService(services.pathInfoService),
    };
  }
  return { ...services, pathInfoService: guardedPathInfos(services, options) };
}

/** What is told is looked at first: only what may stand by itself is compared with what is there. */
function guardedPathInfos(services: Services, options: GuardOptions): PathInfoService {
  const { unsigned = "accept", trustedKeys = [], checkReferences = false } = options;
  const additive = new AdditivePathInfoService(services.pathInfoService);
  const complete = checkReferences ? new ReferencesPathInfoService(additive) : additive;
  return unsigned === "accept" ? complete : new TrustingPathInfoService(complete, trustedKeys, services);
}
