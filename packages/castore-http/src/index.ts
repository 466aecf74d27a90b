export { CastoreHttpError } from "./errors.ts";
export type { CastoreHttpOptions, FindRoot, NamedRoot } from "./options.ts";
export { castoreHttp } from "./plugin.ts";
export { keepEscapes } from "./request-path.ts";
