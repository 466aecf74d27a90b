import type { Node } from "@tvix/castore";
import type { PlannedNarServices } from "./plans.ts";

/** Notices that chunks of a NAR lie elsewhere than its plan says, as after a compaction: the plan is then made anew. */
export class MovedChunks {
  readonly #root: Node;
  readonly #services: PlannedNarServices;
  #hasMoved = false;

  constructor(root: Node, services: PlannedNarServices) {
    this.#root = root;
    this.#services = services;
  }

  /** Called for a chunk that was not where it was described. */
  readonly note = (): void => {
    this.#hasMoved = true;
  };

  /** Forgets a plan that is out of date; who asks next keeps a new one. */
  async forgetPlan(): Promise<void> {
    if (!this.#hasMoved) return;
    // It serves as before where nothing can be written.
    await this.#services.narPlans?.forget(this.#root).catch(() => {});
  }
}
