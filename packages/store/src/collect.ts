export {
  type CollectStoreOptions,
  collectStore,
  findStoreGarbage,
  type PathThatGoes,
  type StoreCollectionParts,
  type StoreCollectionReport,
} from "./collect/collect-store.ts";
export { type ForgetOptions, type Forgotten, forgetPath } from "./collect/forget-path.ts";
export { PathUsage } from "./collect/path-usage.ts";
export { checkPinName, type Pin, Pins } from "./collect/pins.ts";
export type { ReasonToGo, Retention } from "./collect/retention.ts";
export { UsedPathInfoService } from "./collect/used-path-info-service.ts";
export type { PinTarget } from "./records/tables.ts";
