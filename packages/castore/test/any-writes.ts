import type { RecordStoreFixture } from "@tvix/castore/testing";
import fc from "fast-check";
import { expect, test } from "vitest";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Holds a record store against a map, over any writes. */
export function testAnyWrites(name: string, setUp: () => Promise<RecordStoreFixture>): void {
  test(`any writes to ${name} leave what a map would have`, async () => {
    const key = fc.stringMatching(/^[ab]{1,3}$/);
    const change = fc.oneof(
      fc.record({ type: fc.constant("put" as const), key, value: fc.string({ maxLength: 4 }) }),
      fc.record({ type: fc.constant("del" as const), key }),
    );
    const writes = fc.array(fc.array(change, { maxLength: 5 }), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(writes, async (all) => {
        const { records, close } = await setUp();
        const expected = new Map<string, string>();
        for (const changes of all) {
          await records.write(
            changes.map((one) =>
              one.type === "put"
                ? { type: "put", key: bytes(one.key), value: bytes(one.value) }
                : { type: "del", key: bytes(one.key) },
            ),
          );
          for (const one of changes) {
            if (one.type === "put") expected.set(one.key, one.value);
            else expected.delete(one.key);
          }
        }
        const found: [string, string][] = [];
        for (const prefix of ["a", "b"]) {
          for await (const [stored, value] of records.entries({ prefix: bytes(prefix) })) {
            found.push([new TextDecoder().decode(stored), new TextDecoder().decode(value)]);
          }
        }
        await close?.();
        expect(found).toEqual([...expected].sort(([one], [other]) => (one < other ? -1 : 1)));
      }),
      { numRuns: 25 },
    );
  });
}
