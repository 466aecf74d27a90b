import { connect, type Socket } from "node:net";
import type { Target } from "./attack.ts";

/** A connection on which anything may be sent. */
export class RawConnection {
  readonly socket: Socket;
  /** Resolves when either side has ended it. */
  readonly closed: Promise<void>;

  constructor({ port }: Target) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("error", () => {});
    this.closed = new Promise<void>((resolve) => this.socket.once("close", () => resolve()));
  }

  /** Sends a piece, and waits until there is room for another one. @returns whether more can be sent */
  async send(piece: Uint8Array | string): Promise<boolean> {
    if (this.socket.destroyed) return false;
    if (!this.socket.write(piece)) {
      const drained = new Promise<void>((resolve) => this.socket.once("drain", () => resolve()));
      await Promise.race([drained, this.closed]);
    }
    return !this.socket.destroyed;
  }
}
