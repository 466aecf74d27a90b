import { afterEach, expect, test, vi } from "vitest";
import { AskedUpstream } from "../src/upstream/asked-upstream.ts";
import { parseUpstreamAddress } from "../src/upstream/upstream.ts";
import { UpstreamError } from "../src/upstream/upstream-error.ts";

const DAY = 86_400_000;

afterEach(() => void vi.useRealTimers());

test.each([-DAY, 0, DAY])(
  "an upstream rests for half a minute, also where the time of day jumps by %i ms",
  (jumpMs) => {
    vi.useFakeTimers({ toFake: ["Date", "performance"] });
    const upstream = parseUpstreamAddress("nix+http://example.org");
    const rests: number[] = [];
    const meter = {
      upstreamAnswered: () => {},
      upstreamRests: (_: string, forMs: number) => void rests.push(forMs),
    };
    const asked = new AskedUpstream(upstream, { warn: () => {} }, meter);
    for (const what of ["one", "two", "three"]) {
      expect(asked.isResting).toBe(false);
      asked.failed(what, new UpstreamError(upstream, "cannot be reached", { passing: true, ofHost: true }));
    }
    expect(rests).toEqual([30_000]);
    vi.advanceTimersByTime(20_000);
    vi.setSystemTime(Date.now() + jumpMs);
    expect(asked.isResting).toBe(true);
    vi.advanceTimersByTime(10_000);
    expect(asked.isResting).toBe(false);
  },
);
