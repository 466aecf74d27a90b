import { lookUpListing, type NarOutline, narSize, parseListing, writeListing } from "@tvix/nar";
import { expect, test } from "vitest";
import { text } from "./fixtures.ts";

/** net-tools-1.60, as go-nix lists it: path, then the length (x when executable) or the target. */
const NET_TOOLS = `
/ d
/bin d
/bin/arp 55288x
/bin/dnsdomainname -> hostname
/bin/domainname -> hostname
/bin/hostname 17704x
/bin/ifconfig 72576x
/bin/nameif 18776x
/bin/netstat 131784x
/bin/nisdomainname -> hostname
/bin/plipconfig 13160x
/bin/rarp 30384x
/bin/route 61928x
/bin/slattach 35672x
/bin/ypdomainname -> hostname
/sbin -> bin
/share d
/share/man d
/share/man/man1 d
/share/man/man1/dnsdomainname.1.gz 40
/share/man/man1/domainname.1.gz 40
/share/man/man1/hostname.1.gz 1660
/share/man/man1/nisdomainname.1.gz 40
/share/man/man1/ypdomainname.1.gz 40
/share/man/man5 d
/share/man/man5/ethers.5.gz 563
/share/man/man8 d
/share/man/man8/arp.8.gz 2464
/share/man/man8/ifconfig.8.gz 3382
/share/man/man8/nameif.8.gz 523
/share/man/man8/netstat.8.gz 4284
/share/man/man8/plipconfig.8.gz 889
/share/man/man8/rarp.8.gz 1198
/share/man/man8/route.8.gz 3525
/share/man/man8/slattach.8.gz 1441`
  .trim()
  .split("\n")
  .map((line) => line.split(" ") as [path: string, what: string, target?: string]);

function outline(): NarOutline[] {
  const entries: NarOutline[] = [];
  let open: string[] = [];
  for (const [path, what, target] of NET_TOOLS) {
    const parts = path === "/" ? [""] : path.split("/");
    const parents = parts.slice(0, -1);
    while (open.length > parents.length) {
      open = open.slice(0, -1);
      entries.push({ type: "end" });
    }
    const name = text(parts.at(-1) as string);
    if (what === "d") {
      entries.push({ type: "directory", name });
      open = parts;
    } else if (target !== undefined) {
      entries.push({ type: "symlink", name, target: text(target) });
    } else {
      entries.push({ type: "file", name, executable: what.endsWith("x"), size: Number.parseInt(what, 10) });
    }
  }
  return [...entries, ...open.map((): NarOutline => ({ type: "end" }))];
}

test("the 35 entries of net-tools make a NAR of the known length", async () => {
  expect(NET_TOOLS).toHaveLength(35);
  expect(await narSize(outline())).toBe(464_152);
});

test("their listing comes back with every entry", async () => {
  const listing = parseListing((await Array.fromAsync(writeListing(outline()))).join(""));
  for (const [path, what, target] of NET_TOOLS) {
    const node = lookUpListing(listing, path.slice(1));
    if (what === "d") expect(node?.type).toBe("directory");
    else if (target !== undefined) expect(node).toEqual({ type: "symlink", target });
    else expect(node).toMatchObject({ size: Number.parseInt(what, 10), executable: what.endsWith("x") });
  }
});

const NIXOS_RELEASE =
  '{"root":{"entries":{"iso":{"entries":{"nixos-minimal-new-kernel-no-zfs-24.11pre660688.bee6b69aad74-x86_64-linux.iso":{"narOffset":440,"size":1051721728,"type":"regular"}},"type":"directory"},"nix-support":{"entries":{"hydra-build-products":{"narOffset":1051722544,"size":211,"type":"regular"},"system":{"narOffset":1051722944,"size":13,"type":"regular"}},"type":"directory"}},"type":"directory"},"version":1}';

test("a listing of Hydra is read, and written again from its sizes alone", async () => {
  const listing = parseListing(NIXOS_RELEASE);
  expect(lookUpListing(listing, "nix-support/./system")).toMatchObject({
    narOffset: 1_051_722_944,
    size: 13,
  });
  expect(lookUpListing(listing, "")).toBe(listing.root);
  expect(lookUpListing(listing, "nix-support/system/x")).toBeUndefined();
  expect(lookUpListing(listing, "toString")).toBeUndefined();
  for (const path of ["/iso", "iso/../iso"]) expect(() => lookUpListing(listing, path)).toThrow(RangeError);
  const entries: NarOutline[] = [];
  const visit = (name: string, node: typeof listing.root): void => {
    if (node.type === "directory") {
      entries.push({ type: "directory", name: text(name) });
      for (const [child, below] of node.entries) visit(child, below);
      entries.push({ type: "end" });
    } else if (node.type === "regular") {
      entries.push({ type: "file", name: text(name), executable: node.executable, size: node.size });
    }
  };
  visit("", listing.root);
  expect((await Array.fromAsync(writeListing(entries))).join("")).toBe(NIXOS_RELEASE);
});

test.each([
  ["no JSON", "{", /no JSON/],
  ["another version", '{"version":2,"root":{}}', /version is not 1/],
  ["no root", '{"version":1}', /root is no object/],
  ["an unknown type", '{"version":1,"root":{"type":"fifo"}}', /root.type/],
  ["a file without a size", '{"version":1,"root":{"type":"regular","narOffset":1}}', /root.size/],
  ["a file without a place", '{"version":1,"root":{"type":"regular","size":1}}', /root.narOffset/],
  ["a negative size", '{"version":1,"root":{"type":"regular","size":-1,"narOffset":1}}', /root.size/],
  ["a link to nothing", '{"version":1,"root":{"type":"symlink"}}', /root.target/],
  ["a directory without entries", '{"version":1,"root":{"type":"directory"}}', /root.entries/],
  ["a name with a slash", '{"version":1,"root":{"type":"directory","entries":{"a/b":{}}}}', /"a\/b"/],
])("a listing is refused with %s", (_, json, message) => {
  expect(() => parseListing(json)).toThrow(message);
});

test("a listing is refused when it is too deep", () => {
  const levels = (depth: number): string =>
    `{"version":1,"root":${'{"type":"directory","entries":{"d":'.repeat(depth)}{"type":"symlink","target":"x"}${"}}".repeat(depth)}}`;
  expect(parseListing(levels(63)).version).toBe(1);
  expect(() => parseListing(levels(64))).toThrow(/64 levels/);
  expect(() => parseListing(levels(100_000))).toThrow(/64 levels/);
});

test("names that are not UTF-8 cannot be listed", async () => {
  const entries: NarOutline[] = [{ type: "symlink", name: text(""), target: Uint8Array.of(0xff) }];
  await expect(Array.fromAsync(writeListing(entries))).rejects.toMatchObject({ code: "INVALID_LISTING" });
});
