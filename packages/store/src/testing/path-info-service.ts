import { encodeHex } from "@tvix/byte-stream";
import { Signature } from "@tvix/narinfo";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StoreError } from "../errors/store-error.ts";
import { encodePathInfo } from "../path-info/format.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoService, ReconcilePathInfo } from "../path-info/path-info-service.ts";
import { fullPathInfo, PATH_INFO, PATH_INFO_SYMLINK } from "./fixtures.ts";

/** Path infos that tests put; the first two are of one path. */
export interface PathInfoFixtures {
  readonly directory: PathInfo;
  readonly link: PathInfo;
  /** Of another path for each number from 0 to 2^32 - 1. */
  full(number: number): PathInfo;
}

const ANY: PathInfoFixtures = { directory: PATH_INFO, link: PATH_INFO_SYMLINK, full: fullPathInfo };

/** A service under test, and what to do with it afterwards. */
export interface PathInfoServiceFixture {
  readonly pathInfoService: PathInfoService;
  /** Where the tests put, if the service itself takes nothing. */
  readonly filledThrough?: PathInfoService;
  /** Why signatures are added to what is put; then they are left out of comparisons. */
  readonly addsSignatures?: string;
  /** What it takes, where it does not take just any. */
  readonly pathInfos?: PathInfoFixtures;
  /** Frees what the service holds. */
  readonly close?: () => Promise<void>;
}

/** Path infos that are listed in one of the tests, and how many of them are put at once. */
const MANY = 2000;
const AT_ONCE = 100;

/**
 * Registers, with vitest, the tests that every {@link PathInfoService} passes.
 *
 * @param name of the service, for the report
 * @param setUp makes an empty service; called for each test
 */
export function testPathInfoService(name: string, setUp: () => Promise<PathInfoServiceFixture>): void {
  describe(`PathInfoService contract: ${name}`, () => {
    let fixture: PathInfoServiceFixture;
    let service: PathInfoService;
    let filled: PathInfoService;
    let { directory, link, full } = ANY;

    beforeEach(async () => {
      fixture = await setUp();
      service = fixture.pathInfoService;
      ({ directory, link, full } = fixture.pathInfos ?? ANY);
      filled = fixture.filledThrough ?? service;
    });
    afterEach(async () => {
      await fixture.close?.();
    });

    /** For comparing: its encoding. */
    const encoded = (info: PathInfo | undefined) =>
      info &&
      encodeHex(encodePathInfo(fixture.addsSignatures === undefined ? info : { ...info, signatures: [] }));

    test("what was never put is not there, and nothing is listed", async () => {
      expect(await service.get(new Uint8Array(20).fill(0xff))).toBeUndefined();
      expect(await Array.fromAsync(service.list())).toEqual([]);
    });

    test.each([
      ["a directory", () => directory],
      ["a link", () => link],
      ["a file, with something in every field", () => full(1)],
    ])("%s comes back", async (_, chosen) => {
      const info = chosen();
      expect(encoded(await filled.put(info))).toBe(encoded(info));
      const found = await service.get(info.storePath.digest);
      expect(encoded(found)).toBe(encoded(info));
      expect(found?.storePath.toAbsolute()).toBe(info.storePath.toAbsolute());
      const listed = await Array.fromAsync(service.list());
      expect(listed.map(encoded)).toContain(encoded(info));
    });

    test("a put takes the place of another of the same path", async () => {
      await filled.put(directory);
      await filled.put(link);
      expect(encoded(await service.get(directory.storePath.digest))).toBe(encoded(link));
      const listed = await Array.fromAsync(service.list());
      expect(listed.filter(({ storePath }) => storePath.equals(directory.storePath))).toHaveLength(1);
    });

    test("what is put is reconciled with what is there, or refused", async () => {
      const seen: (string | undefined)[] = [];
      const noting: ReconcilePathInfo = (known, put) => {
        seen.push(encoded(known));
        return known ?? put;
      };
      expect(encoded(await filled.put(directory, { reconcile: noting }))).toBe(encoded(directory));
      const stored = await filled.put(link, { reconcile: noting });
      expect(encoded(stored)).toBe(encoded(directory));
      expect(seen).toEqual([undefined, encoded(directory)]);
      const refuse = () => {
        throw new StoreError("CONFLICT", "something else is there");
      };
      const refused = filled.put(link, { reconcile: refuse });
      await expect(refused).rejects.toMatchObject({ code: "CONFLICT" });
      expect(encoded(await service.get(directory.storePath.digest))).toBe(encoded(directory));
    });

    test("of many that are reconciled at once none is lost", async () => {
      const info = full(1);
      const names = Array.from({ length: 20 }, (_, number) => `another-${number}.example.org-1`);
      const adding: ReconcilePathInfo = (known, put) => ({
        ...put,
        signatures: [...(known?.signatures ?? []), ...put.signatures],
      });
      await Promise.all(
        names.map((name) => {
          const signature = Signature.from(name, new Uint8Array(64).fill(5));
          const signatures = [...info.signatures, signature];
          return filled.put({ ...info, signatures }, { reconcile: adding });
        }),
      );
      const found = await service.get(info.storePath.digest);
      expect(found?.signatures.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
    });

    test("many are put at once, and each is listed once", async () => {
      const infos = Array.from({ length: MANY }, (_, number) => full(number + 10));
      for (let start = 0; start < MANY; start += AT_ONCE) {
        await Promise.all(infos.slice(start, start + AT_ONCE).map((info) => filled.put(info)));
      }
      const listed = await Array.fromAsync(service.list());
      const paths = new Set(listed.map(({ storePath }) => storePath.toString()));
      expect(paths.size).toBe(listed.length);
      for (const { storePath } of infos) expect(paths).toContain(storePath.toString());
    });

    const putSome = async () => {
      for (let number = 10; number < 20; number++) await filled.put(full(number));
    };

    test("a list can be left early", async () => {
      await putSome();
      let seen = 0;
      for await (const _ of service.list()) if (++seen === 3) break;
      expect(seen).toBe(3);
    });

    test("a digest of another length is refused", async () => {
      for (const length of [0, 19, 21, 32]) {
        await expect(service.get(new Uint8Array(length))).rejects.toThrow(RangeError);
      }
    });

    test("an aborted signal ends every operation with its reason", async () => {
      const signal = AbortSignal.abort(new Error("no longer wanted"));
      await expect(service.get(new Uint8Array(20), { signal })).rejects.toThrow("no longer wanted");
      await expect(filled.put(full(5), { signal })).rejects.toThrow("no longer wanted");
      await expect(Array.fromAsync(service.list({ signal }))).rejects.toThrow("no longer wanted");
      expect(await service.get(full(5).storePath.digest)).toBeUndefined();
    });

    test("a list ends with the reason of a signal that is aborted meanwhile", async () => {
      await putSome();
      const controller = new AbortController();
      const reading = (async () => {
        for await (const _ of service.list({ signal: controller.signal })) {
          controller.abort(new Error("seen enough"));
        }
      })();
      await expect(reading).rejects.toThrow("seen enough");
    });
  });
}
