import type { OperationOptions } from "@tvix/castore";
import type { NixHash } from "@tvix/nix-compat";

/** What was said of a NAR that an upstream has. */
export interface Offer {
  /** Address of the upstream. */
  readonly upstream: string;
  /** Text of its narinfo, which was verified. */
  readonly narInfo: string;
}

/** NARs of upstreams that clients were told of, and may ask for later. */
export interface Offers {
  get(narHash: NixHash, options?: OperationOptions): Promise<Offer | undefined>;
  /** Durable on return. */
  put(narHash: NixHash, offer: Offer, options?: OperationOptions): Promise<void>;
  remove(narHash: NixHash): Promise<void>;
}
