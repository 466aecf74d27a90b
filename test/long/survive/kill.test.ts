import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { endDaemon, startDaemon, tvixStore } from "../../../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "../../temporary.ts";
import { expectStory } from "./look.ts";
import { Random } from "./random.ts";
import { Story } from "./story.ts";
import { Users } from "./users.ts";

/** Rounds that are tried; 500 by hand. */
const ROUNDS = Number(process.env["KILL_ROUNDS"] ?? 20);
const SEED = Number(process.env["KILL_SEED"] ?? 1);

/** Rounds on one store before the next begins with an empty one. */
const ROUNDS_OF_A_STORE = 10;

test("kill -9 at any moment: all that was acknowledged is there, and nothing is wrong with it", {
  timeout: 3_600_000,
}, async () => {
  const random = new Random(SEED);
  let done = 0;
  for (let begun = 0; begun < ROUNDS; begun += ROUNDS_OF_A_STORE) {
    const base = await temporaryDirectory();
    const [data, tokens] = [join(base, "data"), join(base, "tokens.json")];
    const token = (
      await tvixStore("token", "create", "--scope", "admin", "--token-file", tokens)
    ).stdout.trim();
    await writeFile(join(base, "token"), token);
    const story = new Story();
    for (let round = begun; round < Math.min(ROUNDS, begun + ROUNDS_OF_A_STORE); round++) {
      const sync = random.below(2) === 0 ? [] : ["--no-sync"];
      const daemon = await startDaemon(data, "--token-file", tokens, "--log-level", "info", ...sync);
      const users = new Users(daemon, { token, story, random, name: `${SEED}`, number: done });
      const work = users.work();
      const wait = random.below(1000);
      await new Promise((resolve) => setTimeout(resolve, wait));
      users.isOver = true;
      expect(await endDaemon(daemon, "SIGKILL")).toBe("SIGKILL");
      await work;
      done = users.number;
      await expectStory(data, story, `seed ${SEED}, round ${round}, killed after ${wait} ms`);
    }
  }
  expect(done).toBeGreaterThan(5 * ROUNDS);
  console.log(`seed ${SEED}: ${ROUNDS} rounds of kill -9, ${done} things were stored`);
});
