export type { Authenticator, Caller, OpenAccess } from "./admission/access.ts";
export type { Admitted, ExchangeObserver } from "./admission/admission.ts";
export type { Exchange, RequestHead } from "./admission/exchange.ts";
export { Refusal, type RefusalKind } from "./admission/refusal.ts";
export { SCOPES, type Scope } from "./admission/scope.ts";
export { binaryCacheServicesOf } from "./binary-cache-services.ts";
export { type GuardOptions, guarded } from "./guard.ts";
export {
  type BoundAddress,
  formatListenAddress,
  type ListenAddress,
  parseListenAddress,
} from "./listen/listen-address.ts";
export { ReloadingTls, type TlsFiles } from "./listen/reloading-tls.ts";
export { type CollectionDefaults, LocalMaintenance } from "./maintenance/local-maintenance.ts";
export type {
  CollectionRequest,
  CollectionResult,
  ContentsFound,
  ForgetResult,
  GoingPath,
  Maintenance,
  NamedPin,
  PinnedObject,
  VerificationRequest,
  VerificationResult,
} from "./maintenance/maintenance.ts";
export { ScheduledScrubs, type ScrubOptions } from "./maintenance/scheduled-scrubs.ts";
export { OidcAuthenticator } from "./oidc/authenticator.ts";
export { type OidcRule, readOidcRules } from "./oidc/rules.ts";
export { type AccessOptions, type RunningServer, type ServerOptions, startServer } from "./server.ts";
export { type FolderServices, type LocalServices, type Services, servicesOf } from "./services.ts";
export { TokenAuthenticator } from "./tokens/authenticator.ts";
export { KnownTokens } from "./tokens/known-tokens.ts";
export { createToken, type TokenRecord, type TokenRequest } from "./tokens/token.ts";
export { TokenFile } from "./tokens/token-file.ts";
