export {
  BackgroundFileIndexing,
  FileIndexingPathInfoService,
  type IndexingServices,
} from "./file-index/background-indexing.ts";
export { FileIndex, type FileQuery, type FoundFile, type FoundFiles } from "./file-index/file-index.ts";
export type { PlaceInTree, PlaceType } from "./file-index/places.ts";
export { Arrivals, type ArrivedPath, ArrivingPathInfoService } from "./records/arrivals.ts";
export { RecordNarCalculation } from "./records/nar-calculation.ts";
export { RecordNarIndex } from "./records/nar-index.ts";
export { RecordNarLengths } from "./records/nar-lengths.ts";
export { RecordNarPlans } from "./records/nar-plans.ts";
export { type Page, type PageRequest, PathInfoPages } from "./records/path-info-pages.ts";
export { RecordPathInfoService } from "./records/path-info-service.ts";
export { PATH_INFOS, STORE_TABLES, type StoreFigures } from "./records/tables.ts";
