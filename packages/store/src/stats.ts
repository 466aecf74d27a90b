export { DailyFigures } from "./stats/daily-figures.ts";
export { measureStore, type StoreStats, samplePaths } from "./stats/measure-store.ts";
