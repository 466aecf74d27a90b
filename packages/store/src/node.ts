export { type ImportOptions, type ImportServices, importName, importPath } from "./fs/import-path.ts";
export { type ClosureEntry, parseClosureJson, storeClosure } from "./fs/store-closure.ts";
