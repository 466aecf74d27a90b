export { type CacheInfo, formatCacheInfo, parseCacheInfo } from "./cache-info.ts";
export { NARINFO_ERROR_CODES, NarInfoError, type NarInfoErrorCode } from "./errors.ts";
export { type Fingerprinted, fingerprint } from "./fingerprint.ts";
export { formatNarInfo } from "./format.ts";
export { PublicKey } from "./keys/public-key.ts";
export { SecretKey } from "./keys/secret-key.ts";
export { SIGNATURE_LENGTH, Signature } from "./keys/signature.ts";
export { compressionOf, type NarInfo, type NarInfoQuirks } from "./narinfo.ts";
export { parseNarInfo } from "./parse.ts";
