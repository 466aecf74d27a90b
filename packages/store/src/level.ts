export { LevelNarCalculation } from "./level/nar-calculation.ts";
export { LevelPathInfoService } from "./level/path-info-service.ts";
