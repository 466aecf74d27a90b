import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import { Duplex } from "node:stream";

/** Standard input and output as one connection: the same socket where inetd has passed one, else two pipes. */
export function standardStreams(): Socket {
  const [input, output] = [fstatSync(0, { bigint: true }), fstatSync(1, { bigint: true })];
  if (input.isSocket() && input.ino === output.ino && input.dev === output.dev)
    return new Socket({ fd: 0, readable: true, writable: true });
  const { stdin: readable, stdout: writable } = process;
  // What servers use of a socket, streams have as well.
  const streams = Duplex.from({ readable, writable }) as Socket;
  // Whoever has the last answer is not waited for to close their side.
  streams.once("finish", () => streams.destroy());
  return streams;
}
