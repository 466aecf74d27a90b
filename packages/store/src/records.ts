export { RecordNarCalculation } from "./records/nar-calculation.ts";
export { RecordNarIndex } from "./records/nar-index.ts";
export { RecordNarLengths } from "./records/nar-lengths.ts";
export { RecordNarPlans } from "./records/nar-plans.ts";
export { type Page, type PageRequest, PathInfoPages } from "./records/path-info-pages.ts";
export { RecordPathInfoService } from "./records/path-info-service.ts";
export { PATH_INFOS, STORE_TABLES } from "./records/tables.ts";
