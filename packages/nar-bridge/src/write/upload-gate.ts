import { NarBridgeError } from "../errors.ts";

/** How many may pass at once, and how long the others wait. */
export interface UploadGateOptions {
  readonly writable: boolean;
  readonly maxUploads: number;
  readonly uploadWaitMs: number;
}

/** Lets so many uploads in at a time; the others wait for their turn, first come, first served. */
export class UploadGate {
  readonly #options: UploadGateOptions;
  #open = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: UploadGateOptions) {
    this.#options = options;
  }

  /** @throws NarBridgeError READ_ONLY */
  checkWritable(): void {
    if (!this.#options.writable) throw new NarBridgeError("READ_ONLY", "this cache takes no uploads");
  }

  /**
   * Runs an upload when it is its turn.
   *
   * @throws NarBridgeError READ_ONLY; TOO_BUSY when its turn does not come in time
   */
  async pass<T>(upload: () => Promise<T>): Promise<T> {
    this.checkWritable();
    if (this.#open >= this.#options.maxUploads) await this.#wait();
    else this.#open++;
    try {
      return await upload();
    } finally {
      const next = this.#waiting.shift();
      // The place goes to the next one, so nobody comes in between.
      if (next === undefined) this.#open--;
      else next();
    }
  }

  async #wait(): Promise<void> {
    const { uploadWaitMs } = this.#options;
    await new Promise<void>((resolve, reject) => {
      const enter = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(
          new NarBridgeError("TOO_BUSY", `no upload has ended for ${uploadWaitMs / 1000} s, try again later`),
        );
      }, uploadWaitMs);
      this.#waiting.push(enter);
    });
  }
}
