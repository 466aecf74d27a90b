export type { StoreFault, StoreVerificationParts, VerifiedStoreCounts } from "./verify/verification.ts";
export { verifyStore } from "./verify/verify-store.ts";
