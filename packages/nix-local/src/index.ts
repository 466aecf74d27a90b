export { LOCAL_NIX_ERROR_CODES, LocalNixError, type LocalNixErrorCode } from "./errors.ts";
export { type LocalNixOptions, LocalNixStore, type LocalPath, type Registered } from "./local-nix-store.ts";
export { type PushOptions, type PushProgress, pushPaths } from "./push.ts";
export { findReferences } from "./scan-references.ts";
export { type WatchOptions, watchPaths } from "./watch.ts";
