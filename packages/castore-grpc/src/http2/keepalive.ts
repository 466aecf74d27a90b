import { type ClientHttp2Session, constants } from "node:http2";
import type { Socket } from "node:net";

/** How some servers say that they want no pings (gRPC, `doc/keepalive.md`). */
const TOO_MANY_PINGS = "too_many_pings";

/**
 * Ends a connection whose server has gone without a word, or hangs: when nothing has come for a
 * while although there are calls, it is sent a ping, and has as long again to answer.
 */
export class Keepalive {
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;
  #calls = 0;
  #bytesRead = 0;
  #awaiting = false;

  /**
   * @param silenceMs time without a byte, in milliseconds
   * @param onUnwelcome called when the server has said that it wants no pings
   */
  constructor(session: ClientHttp2Session, socket: Socket, silenceMs: number, onUnwelcome: () => void) {
    this.#session = session;
    this.#socket = socket;
    this.#timer = setInterval(() => this.#look(silenceMs), silenceMs).unref();
    session.once("close", () => clearInterval(this.#timer));
    session.on("goaway", (code, _lastStream, data) => {
      const isComplaint = code === constants.NGHTTP2_ENHANCE_YOUR_CALM;
      if (isComplaint && data !== undefined && Buffer.from(data).includes(TOO_MANY_PINGS)) onUnwelcome();
    });
  }

  /** Notes that a call has begun; the returned function, that it has ended. */
  callBegins(): () => void {
    this.#calls++;
    return () => {
      this.#calls--;
    };
  }

  #look(silenceMs: number): void {
    const { bytesRead } = this.#socket;
    const isSilent = bytesRead === this.#bytesRead;
    this.#bytesRead = bytesRead;
    if (!isSilent || this.#calls === 0) return;
    if (this.#awaiting) {
      const error = new Error(`nothing has come from the server for ${(2 * silenceMs) / 1000} s`);
      this.#session.destroy(error);
      // A session that is destroyed still waits for its peer.
      this.#socket.destroy();
      return;
    }
    this.#awaiting = true;
    this.#session.ping(() => {
      this.#awaiting = false;
    });
  }
}
