export { type CacheInfo, formatCacheInfo, parseCacheInfo } from "./cache-info.ts";
export { NARINFO_ERROR_CODES, NarInfoError, type NarInfoErrorCode } from "./errors.ts";
export { extraFieldsOf, withExtraFields } from "./extra-fields.ts";
export { type Field, joinFields, splitFields } from "./fields.ts";
export { type Fingerprinted, fingerprint } from "./fingerprint.ts";
export { formatNarInfo } from "./format.ts";
export { isKeyName } from "./keys/named.ts";
export { PublicKey } from "./keys/public-key.ts";
export { SecretKey } from "./keys/secret-key.ts";
export { SIGNATURE_LENGTH, Signature } from "./keys/signature.ts";
export { compressionOf, type NarInfo, type NarInfoQuirks } from "./narinfo.ts";
export { parseNarInfo } from "./parse.ts";
export {
  type StoreObjectContentAddress,
  type StoreObjectInfo,
  toStoreObjectInfo,
} from "./store-object-info.ts";
