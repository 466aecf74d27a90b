import { type NarCalculationService, RenderingNarCalculation } from "@tvix/store";
import { RecordNarCalculation } from "@tvix/store/records";
import type { Services } from "../services.ts";
import type { OpenComposition } from "./open-composition.ts";

/** Everything that commands need of a store that is open. */
export function storeServicesOf(open: OpenComposition): Services {
  const { blobService, directoryService, pathInfoService } = open;
  return { blobService, directoryService, pathInfoService, narCalculationService: narCalculationOf(open) };
}

/**
 * Peers calculate, where all services are those of peers: they have the contents. Else what is calculated
 * here is kept, where there is a place for it.
 */
function narCalculationOf(open: OpenComposition): NarCalculationService {
  const { pathInfoService, blobService, directoryService } = open;
  if (open.isOfPeers && isNarCalculation(pathInfoService)) return pathInfoService;
  const rendering = new RenderingNarCalculation({ blobService, directoryService });
  const [directory] = open.openStores;
  return directory === undefined ? rendering : new RecordNarCalculation(directory.store.database, rendering);
}

function isNarCalculation(service: object): service is NarCalculationService {
  return "calculateNar" in service;
}
