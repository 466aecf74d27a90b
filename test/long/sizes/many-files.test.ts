import { test } from "vitest";
import { throughEveryDoor } from "./every-way.ts";

// Beside the other sizes, in another worker.
test.each(["100,000 files", "100,000 entries"] as const)(
  "%s: directly, through a daemon, and through nginx",
  { timeout: 1_800_000 },
  throughEveryDoor,
);
