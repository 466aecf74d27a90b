import { attacked, BASE_MIB, MEMORY_MIB, rowOf, TABLE_HEAD } from "./attacked.ts";
import { ATTACKS } from "./attacks.ts";

/** How much more than in tests. */
const SCALE = 4;

/** Attacks daemons in every way there is, and tells what became of them. */
export async function benchmarkAttacks(): Promise<void> {
  console.log(`\n## Attacks, --memory ${MEMORY_MIB}, base ${BASE_MIB} MiB\n\n${TABLE_HEAD}`);
  for (const attack of ATTACKS) console.log(rowOf(attack, await attacked(attack, SCALE)));
}
