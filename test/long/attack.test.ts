import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { join } from "node:path";
import { encodeNixbase32 } from "@tvix/nix-compat";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { startDaemon } from "../../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "../temporary.ts";
import { AnonymousMemory } from "./anonymous-memory.ts";

/** What uploads may take, in MiB, and what the rest of a daemon takes at the most. */
const MEMORY_MIB = 128;
const BASE_MIB = 450;

const rows: string[] = [];

afterAll(() => {
  const columns = "attack                                     peak MiB  after MiB   p99 before, during (ms)";
  console.log([columns, ...rows].join("\n"));
});

/** Attacks a daemon while somebody else reads; its memory stays within bounds, and comes back. */
async function attacked(
  what: string,
  attack: (url: string) => Promise<void>,
  ...options: string[]
): Promise<void> {
  const data = join(await temporaryDirectory(), "data");
  const daemon = await startDaemon(data, "--memory", `${MEMORY_MIB}`, "--no-sync", ...options);
  const memory = new AnonymousMemory(daemon.process.pid as number);
  const before = await latencies(daemon.url, AbortSignal.timeout(3000));
  const over = new AbortController();
  const other = latencies(daemon.url, over.signal);
  memory.takePeak();
  await attack(daemon.url);
  over.abort();
  const peak = memory.takePeak();
  const during = await other;
  await expect
    .poll(
      () => {
        memory.takePeak();
        return memory.takePeak();
      },
      { timeout: 300_000, interval: 1000 },
    )
    .toBeLessThan(BASE_MIB);
  const after = memory.takePeak();
  memory.end();
  rows.push(
    `${what.padEnd(42)} ${peak.toFixed(0).padStart(8)} ${after.toFixed(0).padStart(10)}   ${before.toFixed(1)}, ${during.toFixed(1)}`,
  );
  expect(daemon.process.exitCode).toBeNull();
  expect(peak).toBeLessThan(MEMORY_MIB + BASE_MIB);
}

/** The 99th percentile of the time that somebody waits for an answer, in milliseconds. */
async function latencies(url: string, until: AbortSignal): Promise<number> {
  const times: number[] = [];
  while (!until.aborted) {
    const start = performance.now();
    const answer = await (await fetch(`${url}/nix-cache-info`)).text();
    expect(answer).toContain("StoreDir");
    times.push(performance.now() - start);
  }
  times.sort((one, other) => one - other);
  return times[Math.floor(times.length * 0.99)] ?? 0;
}

/**
 * Resolves when something has closed, however it did. A stream is over with its answer: Node keeps it open
 * for what it still has to send, which nobody takes any more.
 */
async function ended(closing: ClientHttp2Session | ClientHttp2Stream): Promise<void> {
  await new Promise<void>((resolve) => {
    closing.once("close", () => resolve());
    closing.once("end", () => resolve());
  });
  closing.destroy();
}

function session(url: string): ClientHttp2Session {
  const connected = connect(url);
  connected.on("error", () => {});
  onTestFinished(() => connected.destroy());
  return connected;
}

function call(connection: ClientHttp2Session, path: string) {
  const stream = connection.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  stream.resume();
  return stream;
}

test("twelve streams of small directories without an end", async () => {
  await attacked("12 streams of 2,000,000 directories", async (url) => {
    const connection = session(url);
    await Promise.all(
      Array.from({ length: 12 }, async (_, number) => {
        const stream = call(connection, "/tvix.castore.v1.DirectoryService/Put");
        const closed = ended(stream);
        for (let sent = 0; sent < 2_000_000 && !stream.destroyed; sent += 1000) {
          const piece = Buffer.concat(
            Array.from({ length: 1000 }, (__, index) => directory(number, sent + index)),
          );
          if (!stream.write(piece)) await Promise.race([once(stream, "drain"), closed]);
        }
        stream.end();
        await closed;
      }),
    );
  });
}, 600_000);

/** A framed directory of one link, unlike any other. */
function directory(number: number, index: number): Buffer {
  const name = `${number.toString(36)}${index.toString(36)}`.padStart(6, "0");
  const link = Buffer.concat([
    Buffer.from([0x0a, 6]),
    Buffer.from(name),
    Buffer.from([0x12, 1]),
    Buffer.from("x"),
  ]);
  const message = Buffer.concat([Buffer.from([0x1a, link.length]), link]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

test("a thousand puts that stop in the middle", async () => {
  await attacked(
    "1,000 stalled puts on 5 connections",
    async (url) => {
      const piece = Buffer.concat([
        Buffer.from([0, 0, 8, 0, 4, 0x0a, 0x80, 0x80, 0x20]),
        randomBytes(512 << 10),
      ]);
      piece.writeUInt32BE(piece.length - 5, 1);
      const connections = Array.from({ length: 5 }, () => session(url));
      await Promise.all(
        Array.from({ length: 1000 }, async (_, index) => {
          const connection = connections[index % 5] as ClientHttp2Session;
          const stream = call(connection, "/tvix.castore.v1.BlobService/Put");
          const closed = ended(stream);
          stream.write(piece.subarray(0, piece.length - 1));
          await closed;
        }),
      );
    },
    "--stall-timeout",
    "5",
  );
}, 600_000);

test("uploads whose decoders take as much as they may", async () => {
  const noise = randomBytes(1 << 20);
  const files = [
    [execFileSync("xz", ["-9", "-c"], { input: noise, maxBuffer: 1 << 24 }), ".xz"],
    [
      execFileSync("zstd", ["--long=27", "--no-content-size", "-c"], { input: noise, maxBuffer: 1 << 24 }),
      ".zst",
    ],
  ] as const;
  await attacked("16 of xz -9 and 16 of zstd --long=27", async (url) => {
    await Promise.all(
      Array.from({ length: 32 }, async (_, index) => {
        const [file, suffix] = files[index % 2] as (typeof files)[number];
        const name = encodeNixbase32(createHash("sha256").update(file).digest());
        const response = await fetch(`${url}/nar/${name}.nar${suffix}`, {
          method: "PUT",
          body: new Uint8Array(file),
        });
        // No NAR, or no memory for a window beyond all there is, or none for a while.
        expect([400, 413, 503]).toContain(response.status);
        await response.text();
      }),
    );
  });
}, 600_000);

test("calls that are begun and taken back, ten thousand a second", async () => {
  await attacked("resets, as fast as they go, for 10 s", async (url) => {
    const end = performance.now() + 10_000;
    while (performance.now() < end) {
      const connection = session(url);
      const closed = ended(connection);
      while (performance.now() < end && !connection.destroyed) {
        for (let count = 0; count < 100 && !connection.destroyed; count++) {
          call(connection, "/tvix.castore.v1.BlobService/Read").close(8);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      connection.destroy();
      await closed;
    }
  });
}, 600_000);
