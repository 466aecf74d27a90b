import type { Node, OperationOptions } from "@tvix/castore";
import { NixHash } from "@tvix/nix-compat";
import { createHasher } from "#hasher";
import { type RenderServices, renderNar } from "./render.ts";

/** What Nix wants to know of a NAR. */
export interface NarSummary {
  /** Length in bytes. */
  readonly narSize: number;
  /** SHA-256. */
  readonly narHash: NixHash;
}

/** Tells length and hash of the NAR of a node. */
export interface NarCalculationService {
  /** @throws as rendering the NAR does: what is missing or damaged */
  calculateNar(root: Node, options?: OperationOptions): Promise<NarSummary>;

  /** Takes what is known of a node from reading its NAR; absent where nothing is remembered. */
  keep?(root: Node, summary: NarSummary): Promise<void>;
}

/** Renders the NAR to calculate it. */
export class RenderingNarCalculation implements NarCalculationService {
  readonly #services: RenderServices;

  constructor(services: RenderServices) {
    this.#services = services;
  }

  async calculateNar(root: Node, options: OperationOptions = {}): Promise<NarSummary> {
    const hasher = createHasher("sha256");
    let narSize = 0;
    for await (const piece of renderNar(root, this.#services, options)) {
      hasher.update(piece);
      narSize += piece.length;
    }
    return { narSize, narHash: NixHash.from("sha256", hasher.digest()) };
  }
}
