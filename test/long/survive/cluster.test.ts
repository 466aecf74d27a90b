import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endDaemon, startDaemon, tvixStore } from "../../../packages/server/test/tvix-store.ts";
import { startFailingStore } from "../../engines/failing-store.ts";
import { type Engines, NO_ENGINES, openShared, startEngines } from "../../engines/shared-store.ts";
import { temporaryDirectory } from "../../temporary.ts";
import { expectStoryOf } from "./look.ts";
import { Random } from "./random.ts";
import { Story } from "./story.ts";
import { Users } from "./users.ts";

/** Rounds that are tried. */
const ROUNDS = Number(process.env["CLUSTER_ROUNDS"] ?? 12);
const SEED = Number(process.env["CLUSTER_SEED"] ?? 1);

/** Rounds on one store before the next begins with an empty one. */
const ROUNDS_OF_A_STORE = 4;

if (NO_ENGINES !== undefined) console.warn(`skipped: ${NO_ENGINES}`);

describe.skipIf(NO_ENGINES !== undefined)("servers that share a store", () => {
  let engines: Engines;
  beforeAll(async () => {
    engines = await startEngines();
  });
  afterAll(async () => await engines?.[Symbol.asyncDispose]());

  test("kill -9, a database that begins again, an object store that fails: all that was acknowledged is there", {
    timeout: 3_600_000,
  }, async () => {
    const random = new Random(SEED);
    const base = await temporaryDirectory();
    const tokens = ["--token-file", join(base, "tokens.json")];
    const token = (await tvixStore("token", "create", "--scope", "admin", ...tokens)).stdout.trim();
    await writeFile(join(base, "token"), token);
    await using failing = await startFailingStore(engines.ceph.port, () => random.below(1e9) / 1e9);
    const done = [0, 0];
    for (let begun = 0; begun < ROUNDS; begun += ROUNDS_OF_A_STORE) {
      const { records, extents: direct } = engines.freshAddresses();
      const extents = direct.replace(/127\.0\.0\.1%3A\d+/, `127.0.0.1%3A${failing.port}`);
      const story = new Story();
      for (let round = begun; round < Math.min(ROUNDS, begun + ROUNDS_OF_A_STORE); round++) {
        failing.failures = random.below(2) === 0 ? 0.15 : 0;
        const places = ["--records", records, "--extents", extents, ...tokens, "--log-level", "info"];
        const daemons = [
          await startDaemon(join(base, "one"), ...places),
          await startDaemon(join(base, "other"), ...places),
        ];
        const users = daemons.map(
          (daemon, index) =>
            new Users(daemon, { token, story, random, name: `${SEED} ${index}`, number: done[index] ?? 0 }),
        );
        const work = users.map((one) => one.work());
        const wait = 200 + random.below(1500);
        await new Promise((resolve) => setTimeout(resolve, wait));
        if (random.below(4) === 0) {
          await engines.postgres.kill();
          await engines.postgres.start();
        }
        for (const [index, one] of users.entries()) {
          one.isOver = true;
          const daemon = daemons[index];
          if (daemon !== undefined) expect(await endDaemon(daemon, "SIGKILL")).toBe("SIGKILL");
          done[index] = one.number;
        }
        await Promise.all(work);
        failing.failures = 0;
        await using store = await openShared({ records, extents: direct });
        await expectStoryOf(store, story, `seed ${SEED}, round ${round}, killed after ${wait} ms`);
      }
    }
    const all = done.reduce((sum, count) => sum + count, 0);
    expect(all).toBeGreaterThan(5 * ROUNDS);
    console.log(
      `seed ${SEED}: ${ROUNDS} rounds, ${all} things were stored, ${JSON.stringify(failing.counts)}`,
    );
  });
});
