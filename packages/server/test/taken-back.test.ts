import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { Directory } from "@tvix/castore";
import { expect, onTestFinished, test } from "vitest";
import { TakenBack } from "../src/admission/taken-back.ts";
import { beginCall, framed, over } from "./raw-http2.ts";
import { runningServer } from "./running-server.ts";

const GET_DIRECTORY = "/tvix.castore.v1.DirectoryService/Get";
const CANCEL = 8;
const ENHANCE_YOUR_CALM = 11;

function sessionTo(url: string): ClientHttp2Session {
  const session = connect(url).on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

/** Begins calls and takes each back at once, until there have been so many or the connection has ended. */
async function takeBack(session: ClientHttp2Session, count: number): Promise<void> {
  for (let begun = 0; begun < count && !session.destroyed && !session.closed; begun++) {
    beginCall(session, GET_DIRECTORY).resume().close(CANCEL);
    if (begun % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
  }
}

test("whoever takes back thousands of calls loses the connection, and the next one sooner; others do not", async () => {
  const server = await runningServer();
  onTestFinished(server.close);
  const digest = await server.directoryService.put(Directory.of([]));
  const other = sessionTo(server.url);
  const ask = async () => {
    const call = beginCall(other, GET_DIRECTORY);
    call.end(framed(Buffer.concat([Buffer.from([0x0a, 32]), digest.bytes])));
    const [answer] = await once(call, "data");
    // It is answered: to leave the rest of it counts for nothing.
    call.close(CANCEL);
    await over(call);
    return answer.length;
  };
  expect(await ask()).toBe(5);

  const session = sessionTo(server.url);
  const told = once(session, "goaway");
  await takeBack(session, 50_000);
  expect((await told)[0]).toBe(ENHANCE_YOUR_CALM);
  await over(session);

  const again = sessionTo(server.url);
  await once(again, "connect");
  const toldAgain = once(again, "goaway");
  await takeBack(again, 1000);
  expect((await toldAgain)[0]).toBe(ENHANCE_YOUR_CALM);
  expect(await ask()).toBe(5);
});

test("an address goes on from where it was on another connection; a Unix socket has none", () => {
  const taken = new TakenBack();
  const note = (address: string | undefined, connection: object, count: number, now: number) =>
    Array.from({ length: count }, () => taken.note(address, connection, now)).filter(Boolean).length;
  expect(note("192.0.2.1", {}, 2000, 0)).toBe(0);
  expect(note("192.0.2.1", {}, 5, 0)).toBe(5);
  expect(note("::ffff:192.0.2.1", {}, 1, 0)).toBe(1);
  expect(note("192.0.2.2", {}, 2000, 0)).toBe(0);
  // 500 more each second, and six were too many.
  expect(note("192.0.2.1", {}, 495, 1000)).toBe(1);
  // However much it was, two seconds later all is well.
  expect(note("192.0.2.1", {}, 10_000, 1000)).toBe(10_000);
  expect(note("192.0.2.1", {}, 400, 3000)).toBe(0);
  const one = {};
  expect(note(undefined, one, 2001, 0)).toBe(1);
  expect(note(undefined, {}, 2000, 0)).toBe(0);
});
