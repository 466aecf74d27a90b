import { formatCacheInfo, parseCacheInfo } from "@tvix/narinfo";
import { expect, test } from "vitest";

test("nix-cache-info comes back", () => {
  const text = "StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 39\n";
  expect(parseCacheInfo(text)).toEqual({ storeDir: "/nix/store", wantMassQuery: true, priority: 39 });
  expect(formatCacheInfo(parseCacheInfo(text))).toBe(text);
  expect(formatCacheInfo({ storeDir: "/nix/store" })).toBe("StoreDir: /nix/store\n");
  expect(parseCacheInfo("StoreDir: /nix/store\nWeather: fine\n")).toEqual({ storeDir: "/nix/store" });
});

test.each(["", "StoreDir: nix\n", "Priority: 1\n", "StoreDir: /nix/store\nPriority: high\n", "StoreDir\n"])(
  "%j is none",
  (text) => {
    expect(() => parseCacheInfo(text)).toThrow(expect.objectContaining({ code: "INVALID_CACHE_INFO" }));
  },
);
