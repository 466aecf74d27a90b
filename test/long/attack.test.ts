import { afterAll, expect, test } from "vitest";
import { attacked, BASE_MIB, MEMORY_MIB, rowOf, TABLE_HEAD } from "../../benchmarks/attack/attacked.ts";
import { ATTACKS } from "../../benchmarks/attack/attacks.ts";

const rows: string[] = [];

afterAll(() => {
  console.log([TABLE_HEAD, ...rows].join("\n"));
});

// `pnpm bench attack` does more of each, and those that take minutes.
test.each(ATTACKS.filter(({ isLong }) => isLong !== true))(
  "$name",
  async (attack) => {
    const outcome = await attacked(attack, 1);
    rows.push(rowOf(attack, outcome));
    expect(outcome.answers).toBe(true);
    expect(outcome.peak).toBeLessThan(MEMORY_MIB + BASE_MIB);
    expect(outcome.after).toBeLessThan(BASE_MIB);
  },
  600_000,
);
