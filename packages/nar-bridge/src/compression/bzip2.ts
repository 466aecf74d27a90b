import { MessageChannel, Worker } from "node:worker_threads";
import type { ByteStream } from "@tvix/byte-stream";
import type { Bzip2WorkerData, FromBzip2Worker } from "./bzip2-worker.ts";

/**
 * Decompresses bzip2 in a thread of its own: the decoder at hand works on the spot, a block
 * at a time, and would hold up everything else. The thread waits for input and for its output
 * to be taken, so that no more than a block and a few pieces are in memory.
 */
export async function* decompressBzip2(source: ByteStream): ByteStream {
  const { port1: port, port2: workerPort } = new MessageChannel();
  const signals = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  const workerData: Bzip2WorkerData = { port: workerPort, signals };
  const worker = new Worker(new URL("./bzip2-worker.js", import.meta.url), {
    workerData,
    // Options of this process, such as `--input-type`, are none for a thread.
    execArgv: [],
    transferList: [workerPort],
  });
  const input = source[Symbol.asyncIterator]();
  const messages = new MessageQueue(port, worker);
  try {
    for (;;) {
      const message = await messages.next();
      if (message.type === "need-input") {
        const next = await input.next();
        port.postMessage(next.done === true ? undefined : next.value);
        Atomics.add(signals, 0, 1);
        Atomics.notify(signals, 0);
      } else if (message.type === "output") {
        yield message.bytes;
        Atomics.add(signals, 1, 1);
        Atomics.notify(signals, 1);
      } else if (message.type === "failed") {
        throw new Error(message.message);
      } else {
        return;
      }
    }
  } finally {
    port.close();
    await worker.terminate();
    await input.return?.();
  }
}

/** Messages of the thread, in order, as something to wait for. */
class MessageQueue {
  readonly #arrived: FromBzip2Worker[] = [];
  #wake: (() => void) | undefined;
  #failure: Error | undefined;

  constructor(port: MessageChannel["port1"], worker: Worker) {
    port.on("message", (message: FromBzip2Worker) => {
      this.#arrived.push(message);
      this.#wake?.();
    });
    worker.once("error", (error: Error) => {
      this.#failure = error;
      this.#wake?.();
    });
  }

  async next(): Promise<FromBzip2Worker> {
    for (;;) {
      const message = this.#arrived.shift();
      if (message !== undefined) return message;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
