// What the NAR reader takes and refuses, beside real Nix, over mutated NARs.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { readNar } from "@tvix/nar";
import { expect, test } from "vitest";
import { mutatedNar, seededRandom } from "../nix/mutations.ts";
import { NixVerdicts } from "../nix/nix-verdicts.ts";
import { noNix } from "../nix/real-nix.ts";

const NARS = 10_000;
const PROCESSES = 2;

/**
 * What Nix 2.8, as Debian 12 has it, takes and we do not. Its parser knows fields rather than
 * a grammar: it makes do without some, and takes others in another order or twice. Later
 * versions of Nix have a grammar, and refuse all of this as we do; nothing that writes NARs
 * has ever written it.
 */
const TAKEN_BY_OLD_NIX: readonly RegExp[] = [
  // A file without contents is empty to it.
  /expected "contents", found/,
  // Nodes without a type, and a type behind other fields.
  /expected "\(" and "type", found/,
  // A link without a target.
  /expected "target", found/,
  // Fields of a file twice, or behind its contents.
  /expected "\)" behind a file, found/,
  /expected "\)" behind an? (link|entry|node), found/,
  // An entry without a node.
  /expected "node", found/,
  // An entry whose name has not come first.
  /expected "\(" and "name", found/,
  // The system cuts a target at its first null byte.
  /the target of a link contains a null byte/,
  // It compares names up to the first entry only that it keeps.
  /the name ".*" (is not sorted|comes twice)/,
];

if (noNix !== undefined) console.warn(`skipped: ${noNix}`);

test.skipIf(noNix !== undefined)(
  `of ${NARS} mutated NARs none is taken that Nix refuses, and few are refused that it takes`,
  { timeout: 900_000 },
  async () => {
    const unexplained: string[] = [];
    const counts = { taken: 0, refused: 0, takenByNixOnly: 0 };
    const compare = async (seed: number) => {
      const folder = await mkdtemp(join(tmpdir(), "mutated-"));
      const nix = new NixVerdicts(folder);
      const random = seededRandom(seed);
      for (let left = NARS / PROCESSES; left > 0; left--) {
        const nar = await mutatedNar(random);
        const ours = await refusal(nar);
        const theirs = await nix.accepts(nar);
        if (theirs === (ours === undefined)) counts[theirs ? "taken" : "refused"]++;
        else if (theirs && TAKEN_BY_OLD_NIX.some((known) => known.test(ours as string)))
          counts.takenByNixOnly++;
        else unexplained.push(`${ours ?? "taken"}: ${Buffer.from(nar).toString("base64")}`);
      }
      nix.end();
      await rm(folder, { recursive: true });
    };
    await Promise.all(Array.from({ length: PROCESSES }, (_, index) => compare(index + 1)));
    expect(unexplained).toEqual([]);
    expect(counts.taken).toBeGreaterThan(NARS / 50);
    expect(counts.takenByNixOnly).toBeLessThan(NARS / 50);
    console.log(`NARs: ${JSON.stringify(counts)}`);
  },
);

/** Why a NAR is refused; undefined when it is not. `nix-store --restore` does not look behind the archive. */
async function refusal(nar: Uint8Array): Promise<string | undefined> {
  try {
    for await (const _ of readNar(nar, { trailing: "anything" }));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

test(`${NARS} mutated NARs take no more than 64 MiB`, { timeout: 120_000 }, async () => {
  const script = join(import.meta.dirname, "../nix/read-mutated.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--max-semi-space-size=1",
    script,
    String(NARS),
  ]);
  expect(Number(stdout)).toBeGreaterThan(0);
  expect(Number(stdout)).toBeLessThan(64 << 20);
});
