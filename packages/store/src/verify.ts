export {
  type StoreFault,
  type StoreVerificationParts,
  type VerifiedStoreCounts,
  verifyStore,
} from "./verify/verify-store.ts";
