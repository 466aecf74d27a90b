export { LevelNarCalculation } from "./level/nar-calculation.ts";
export { LevelNarIndex } from "./level/nar-index.ts";
export { LevelNarLengths } from "./level/nar-lengths.ts";
export { LevelPathInfoService } from "./level/path-info-service.ts";
