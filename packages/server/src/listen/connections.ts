import { isIPv6, type Socket } from "node:net";
import { KeyedCount } from "../keyed-count.ts";

/** How many connections there may be. */
export interface ConnectionLimits {
  /** In all. */
  readonly most: number;
  /** From one address, so that others find room. */
  readonly mostOfAddress: number;
}

/** The connections that are open. More than there may be are not let in. */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #sockets: Set<Socket> = new Set();
  readonly #ofAddress = new KeyedCount();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** How many are open. */
  get count(): number {
    return this.#sockets.size;
  }

  /** Takes in a connection until it closes; false when there is no room for it. */
  add(socket: Socket): boolean {
    const { most, mostOfAddress } = this.#limits;
    const address = networkOf(socket.remoteAddress);
    const known = this.#ofAddress.of(address);
    if (this.#sockets.size >= most || (address !== "" && known >= mostOfAddress)) return false;
    this.#sockets.add(socket);
    this.#ofAddress.add(address);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#ofAddress.remove(address);
    });
    return true;
  }

  /** Ends all of them; returns whether there were any. */
  cut(): boolean {
    const any = this.#sockets.size > 0;
    for (const socket of this.#sockets) socket.destroy();
    return any;
  }
}

/** Parts of an IPv6 address that tell a network from others: whoever has one has all the rest of it. */
const NETWORK_PARTS = 4;

/** What counts as one address: an address of IPv4, a network of IPv6; empty for a Unix socket. */
export function networkOf(address: string | undefined): string {
  if (address === undefined) return "";
  // Asked with every request: most are of IPv4.
  if (!address.includes(":")) return address;
  if (!isIPv6(address) || address.startsWith("::")) return address.replace(/^::ffff:(?=\d+\.)/i, "");
  const [head = ""] = address.split("%");
  const [before = "", after = ""] = head.split("::");
  const parts = before.split(":");
  const missing = 8 - parts.length - (head.includes("::") ? after.split(":").length : 0);
  const whole = [...parts, ...Array.from({ length: Math.max(0, missing) }, () => "0")];
  return whole.slice(0, NETWORK_PARTS).join(":");
}
