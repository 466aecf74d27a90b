export { measureStore, type StoreStats, samplePaths } from "./stats/measure-store.ts";
