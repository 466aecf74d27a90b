import { createHash } from "node:crypto";
import { collect } from "@tvix/byte-stream";
import { type NarEntry, writeNar } from "@tvix/nar";
import { fingerprint, formatNarInfo, type NarInfo, type SecretKey } from "@tvix/narinfo";
import { encodeNixbase32, NixHash, StorePath } from "@tvix/nix-compat";

const encoder = new TextEncoder();
export const text = (value: string): Uint8Array => encoder.encode(value);

/** Bytes that do not compress, the same for the same seed. */
export function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed | 1;
  for (let at = 0; at < length; at++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    bytes[at] = state >>> 11;
  }
  return bytes;
}

const file = (name: string, contents: Uint8Array, executable = false): NarEntry => ({
  type: "file",
  name: text(name),
  executable,
  size: contents.length,
  contents,
});

/** A tree with everything: small and empty files, links, one of many chunks, half of it compressible. */
export function treeEntries(seed: number, largeBytes = 1_500_000): readonly NarEntry[] {
  const large = noise(largeBytes, seed);
  large.fill(seed & 0xff, 0, largeBytes >> 1);
  return [
    { type: "directory", name: text("") },
    { type: "directory", name: text("bin") },
    file("tool", text(`#!/bin/sh\necho ${seed}\n`), true),
    { type: "end" },
    file("empty", new Uint8Array(0)),
    file("large", large),
    { type: "symlink", name: text("link"), target: text("bin/tool") },
    file("noise", noise(5000, seed + 1)),
    { type: "directory", name: text("nothing") },
    { type: "end" },
    file("text", text(`${seed} and again `.repeat(1000))),
    { type: "end" },
  ];
}

/** A NAR, its hash, and how it is called. */
export interface Sample {
  readonly nar: Uint8Array;
  readonly hash: NixHash;
  /** 52 digits. */
  readonly digits: string;
}

export async function sample(entries: readonly NarEntry[]): Promise<Sample> {
  const nar = await collect(writeNar(entries), 1 << 30);
  const hash = sha256(nar);
  return { nar, hash, digits: encodeNixbase32(hash.digest) };
}

/** A NAR of a single small file. */
export async function smallSample(contents: string): Promise<Sample> {
  return await sample([file("", text(contents))]);
}

export function sha256(bytes: Uint8Array): NixHash {
  return NixHash.from("sha256", new Uint8Array(createHash("sha256").update(bytes).digest()));
}

/** The store path that a test gives a NAR: any digest will do. */
export function pathOf({ hash }: Sample, name = "sample"): StorePath {
  return StorePath.from(hash.digest.slice(0, 20), name);
}

/** What Nix would upload of a path, signed where there is a key. */
export function narInfoOf(one: Sample, changes: Partial<NarInfo> = {}, key?: SecretKey): string {
  const info: NarInfo = {
    storePath: pathOf(one),
    url: `nar/${one.digits}.nar`,
    compression: "none",
    fileHash: undefined,
    fileSize: undefined,
    narHash: one.hash,
    narSize: one.nar.length,
    references: [],
    deriver: undefined,
    system: undefined,
    signatures: [],
    contentAddress: undefined,
    ...changes,
  };
  const signatures = key === undefined ? info.signatures : [...info.signatures, key.sign(fingerprint(info))];
  return formatNarInfo({ ...info, signatures });
}

/** Where the narinfo of a NAR lies. */
export function narInfoUrl(url: string, one: Sample): string {
  return `${url}/${pathOf(one).digestText()}.narinfo`;
}

/** Sends a body; returns status and text of the answer. */
export async function put(url: string, body: BodyInit, headers: HeadersInit = {}): Promise<[number, string]> {
  const response = await fetch(url, { method: "PUT", body, headers });
  return [response.status, await response.text()];
}

/** Uploads a NAR and its narinfo as they are. */
export async function upload(url: string, one: Sample, key?: SecretKey): Promise<void> {
  for (const [status, answer] of [
    await put(`${url}/nar/${one.digits}.nar`, one.nar as BodyInit),
    await put(narInfoUrl(url, one), narInfoOf(one, {}, key)),
  ]) {
    if (status !== 200) throw new Error(`${status}: ${answer}`);
  }
}
