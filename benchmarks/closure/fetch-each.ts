// Fetches each path of a list once in turn, in whole passes, over so many connections, and drops what comes. A
// process of its own, with sockets and large buffers only, so that it takes as little of the machine as can be:
// wrk reads eight KiB at a time. Prints a line of JSON: seconds, bytes of bodies.
//
// Arguments: port, file with one path in each line, connections, passes.
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";

const BUFFER_BYTES = 1 << 20;
const END_OF_HEAD = Buffer.from("\r\n\r\n");

const [port, list, connections, passes] = process.argv.slice(2) as [string, string, string, string];
const paths = readFileSync(list, "utf8").trimEnd().split("\n");
const requests = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
const total = requests.length * Number(passes);
let begun = 0;
let bodyBytes = 0;

/** Asks for one path after the other, until all have been asked for. */
function fetchInTurn(): Promise<void> {
  return new Promise((resolve, reject) => {
    let head: Buffer = Buffer.alloc(0);
    /** Bytes of the body that are still to come; undefined before its head is complete. */
    let left: number | undefined;
    const next = (socket: Socket) => {
      if (begun === total) {
        socket.destroy();
        resolve();
        return;
      }
      socket.write(requests[begun++ % requests.length] as string);
    };
    const take = (piece: Buffer) => {
      if (left === undefined) takeHead(piece);
      else takeBody(piece.length);
    };
    const takeHead = (piece: Buffer) => {
      head = Buffer.concat([head, piece]);
      const end = head.indexOf(END_OF_HEAD);
      if (end < 0) return;
      const text = head.toString("latin1", 0, end);
      const length = /^content-length: (\d+)\r?$/im.exec(text)?.[1];
      if (!text.startsWith("HTTP/1.1 200 ") || length === undefined) throw new Error(text);
      left = Number(length);
      const bytes = head.length - end - END_OF_HEAD.length;
      head = Buffer.alloc(0);
      takeBody(bytes);
    };
    const takeBody = (bytes: number) => {
      left = (left ?? 0) - bytes;
      bodyBytes += bytes;
      if (left < 0) throw new Error("more bytes than were announced");
      if (left > 0) return;
      left = undefined;
      next(socket);
    };
    const socket = connect({
      port: Number(port),
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(BUFFER_BYTES),
        callback(length, buffer) {
          try {
            take((buffer as Buffer).subarray(0, length));
          } catch (error) {
            reject(error);
          }
          return true;
        },
      },
    });
    socket.on("error", reject);
    socket.on("end", () => reject(new Error("the server has ended the connection")));
    socket.once("connect", () => next(socket));
  });
}

const start = performance.now();
await Promise.all(Array.from({ length: Number(connections) }, fetchInTurn));
console.log(JSON.stringify({ seconds: (performance.now() - start) / 1000, bodyBytes }));
process.exit();
