import type { Connection, OpenStream } from "./connection.ts";
import { unansweredCall } from "./no-answer.ts";

/** Bytes of one request that are kept to be sent again, and of all requests of a transport. */
const REQUEST_BYTES = 16 << 20;
const ALL_BYTES = 64 << 20;

/** How often a call is sent again that was lost, and one that was refused before it was looked at. */
const MOST_LOST = 3;
const MOST_REFUSED = 100;

/** What all requests of a transport may keep. */
export class ReplayBudget {
  left: number = ALL_BYTES;
}

type Frame = readonly Uint8Array[];

/**
 * The frames of a request, kept while they are sent so that a connection that breaks does not
 * matter: each attempt begins with the first. A request that gets too long can be sent once only.
 */
export class ReplayedRequest {
  readonly #source: AsyncIterator<Frame>;
  readonly #budget: ReplayBudget;
  readonly #kept: Frame[] = [];
  /** Place of the first frame that is kept. */
  #first = 0;
  #bytes = 0;
  #keeps = true;
  #isDone = false;
  #failure: { readonly error: unknown } | undefined;
  #reading: Promise<void> | undefined;

  constructor(source: AsyncIterable<Frame>, budget: ReplayBudget) {
    this.#source = source[Symbol.asyncIterator]();
    this.#budget = budget;
  }

  /** Whether it can be sent again. */
  get isWhole(): boolean {
    return this.#first === 0 && this.#failure === undefined;
  }

  /** All frames, from the first. One attempt at a time goes on; an earlier one stops. */
  async *frames(): AsyncGenerator<Frame, void, undefined> {
    for (let index = 0; ; index++) {
      while (index >= this.#first + this.#kept.length) {
        if (this.#failure !== undefined) throw this.#failure.error;
        if (this.#isDone) return;
        this.#reading ??= this.#read();
        await this.#reading;
      }
      const frame = this.#kept[index - this.#first];
      if (frame === undefined) return;
      yield frame;
      if (!this.#keeps) this.#drop(index + 1);
    }
  }

  /** Keeps nothing any more: the call is answered, or given up. */
  release(): void {
    this.#keeps = false;
    this.#budget.left += this.#bytes;
    this.#bytes = 0;
  }

  /** Ends the source. */
  async end(): Promise<void> {
    this.release();
    await this.#source.return?.();
  }

  async #read(): Promise<void> {
    try {
      const next = await this.#source.next();
      if (next.done === true) this.#isDone = true;
      else this.#keep(next.value);
    } catch (error) {
      this.#failure = { error };
    }
    this.#reading = undefined;
  }

  #keep(frame: Frame): void {
    this.#kept.push(frame);
    if (!this.#keeps) return;
    const length = frame.reduce((sum, part) => sum + part.length, 0);
    if (this.#bytes + length > REQUEST_BYTES || length > this.#budget.left) {
      this.release();
    } else {
      this.#bytes += length;
      this.#budget.left -= length;
    }
  }

  /** Forgets the frames in front of a place. */
  #drop(place: number): void {
    this.#kept.splice(0, place - this.#first);
    this.#first = Math.max(this.#first, place);
  }
}

/**
 * Makes a call, and makes it again when nobody has answered: calls of this system may all be made
 * twice, because what they store is named by what it is.
 *
 * @param mayRepeat whether the request can be sent once more
 */
export async function repeating<T>(
  connection: Connection,
  signal: AbortSignal | undefined,
  call: (open: OpenStream) => Promise<T>,
  mayRepeat: () => boolean,
): Promise<T> {
  const times = { lost: 0, refused: 0 };
  for (;;) {
    const open = await connection.ready(signal);
    try {
      return await call(open);
    } catch (error) {
      const why = unansweredCall(error);
      if (why === undefined || signal?.aborted === true || !mayRepeat()) throw error;
      if (++times[why] > (why === "lost" ? MOST_LOST : MOST_REFUSED)) throw error;
    }
  }
}
