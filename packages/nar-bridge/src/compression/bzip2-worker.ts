import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import Bunzip from "seek-bzip";

/** What the thread is started with. */
export interface Bzip2WorkerData {
  readonly port: MessagePort;
  /** Counts the pieces of input that were sent, and those of output that were taken. */
  readonly signals: Int32Array;
}

/** What the thread says. */
export type FromBzip2Worker =
  | { readonly type: "need-input" }
  | { readonly type: "output"; readonly bytes: Uint8Array }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "done" };

/** Length of a piece of output, in bytes. */
const PIECE_BYTES = 128 << 10;

/** Pieces of output that may be on their way. */
const PIECES_AHEAD = 4;

const { port, signals } = workerData as Bzip2WorkerData;

/** Input, byte by byte; waits for the next piece when one is used up. */
class Input {
  #piece: Uint8Array | undefined = new Uint8Array(0);
  #at = 0;
  #received = 0;

  readByte(): number {
    if (this.eof()) return -1;
    return this.#piece?.[this.#at++] as number;
  }

  read(buffer: Uint8Array, offset: number, length: number): number {
    let count = 0;
    for (; count < length && !this.eof(); count++) buffer[offset + count] = this.readByte();
    return count === 0 && length > 0 ? -1 : count;
  }

  eof(): boolean {
    while (this.#piece !== undefined && this.#at === this.#piece.length) this.#next();
    return this.#piece === undefined;
  }

  #next(): void {
    send({ type: "need-input" });
    Atomics.wait(signals, 0, this.#received);
    this.#received++;
    this.#piece = receiveMessageOnPort(port)?.message as Uint8Array | undefined;
    this.#at = 0;
  }
}

/** Output, gathered into pieces; waits while too many have not been taken. */
class Output {
  #piece = new Uint8Array(PIECE_BYTES);
  #length = 0;
  #sent = 0;

  writeByte(byte: number): void {
    this.#piece[this.#length++] = byte;
    if (this.#length === PIECE_BYTES) this.flush();
  }

  flush(): void {
    if (this.#length === 0) return;
    for (let taken = Atomics.load(signals, 1); this.#sent - taken >= PIECES_AHEAD; ) {
      Atomics.wait(signals, 1, taken);
      taken = Atomics.load(signals, 1);
    }
    send({ type: "output", bytes: this.#piece.subarray(0, this.#length) });
    this.#sent++;
    this.#piece = new Uint8Array(PIECE_BYTES);
    this.#length = 0;
  }
}

function send(message: FromBzip2Worker): void {
  port.postMessage(message);
}

try {
  const output = new Output();
  // Several streams one after the other are one, as for bzip2 itself.
  Bunzip.decode(new Input(), output, true);
  output.flush();
  send({ type: "done" });
} catch (error) {
  send({ type: "failed", message: error instanceof Error ? error.message : String(error) });
}
