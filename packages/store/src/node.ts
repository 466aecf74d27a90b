export { type ImportOptions, type ImportServices, importName, importPath } from "./fs/import-path.ts";
export {
  type ClosureEntry,
  type ClosureProgress,
  parseClosureJson,
  type StoreClosureOptions,
  storeClosure,
} from "./fs/store-closure.ts";
