export { type ImportOptions, type ImportServices, importName, importPath } from "./fs/import-path.ts";
