export {
  buildContentAddressedPath,
  buildOutputPath,
  outputPlaceholder,
  type StorePathReferences,
} from "./build-store-path.ts";
export {
  type ContentAddress,
  type ContentAddressMethod,
  formatContentAddress,
  parseContentAddress,
} from "./content-address.ts";
export { NIX_COMPAT_ERROR_CODES, NixCompatError, type NixCompatErrorCode } from "./errors.ts";
export { DIGEST_LENGTHS, type HashAlgorithm, isHashAlgorithm, NixHash } from "./nix-hash.ts";
export { decodeNixbase32, encodeNixbase32, nixbase32Length } from "./nixbase32.ts";
export {
  STORE_DIR,
  STORE_PATH_DIGEST_LENGTH,
  STORE_PATH_NAME_MAX_LENGTH,
  StorePath,
} from "./store-path.ts";
