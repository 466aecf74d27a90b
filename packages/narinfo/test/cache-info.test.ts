import { type CacheInfo, formatCacheInfo, parseCacheInfo } from "@tvix/narinfo";
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

test.each<[string, CacheInfo]>([
  ["nothing", {} as CacheInfo],
  ["a relative directory", { storeDir: "nix/store" }],
  ["half a priority", { storeDir: "/nix/store", priority: 0.5 }],
  ["a priority of ten digits", { storeDir: "/nix/store", priority: 1e9 }],
  ["a priority that is no number", { storeDir: "/nix/store", priority: Number.NaN }],
  ["another line", { storeDir: "/nix/store\nPriority: 1" }],
])("%s is not written", (_, info) => {
  expect(() => formatCacheInfo(info)).toThrow(expect.objectContaining({ code: "INVALID_CACHE_INFO" }));
});
