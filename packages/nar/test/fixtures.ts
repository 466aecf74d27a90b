import type { NarEntry } from "@tvix/nar";

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const ROOT = new Uint8Array(0);

export const file = (name: string, contents: string, executable = false): NarEntry => ({
  type: "file",
  name: text(name),
  executable,
  size: text(contents).length,
  contents: text(contents),
});
export const symlink = (name: string, target: string): NarEntry => ({
  type: "symlink",
  name: text(name),
  target: text(target),
});
export const directory = (name: string, ...children: readonly (NarEntry | NarEntry[])[]): NarEntry[] => [
  { type: "directory", name: text(name) },
  ...children.flat(),
  { type: "end" },
];

/** The fixtures of tvix, and others of which the digest is known: length and SHA-256. */
export const FIXTURES: readonly (readonly [
  name: string,
  entries: NarEntry[],
  size: number,
  sha256: string,
])[] = [
  [
    "symlink",
    [{ type: "symlink", name: ROOT, target: text("/nix/store/somewhereelse") }],
    136,
    "097d397e9b5826384eaa16c457715d1c1a51670313ead0f58566e0b232539cf1",
  ],
  [
    "hello world",
    [file("", "Hello World!")],
    128,
    "03e7f63be30b065d78bcf615f5473545fdb4eb69aa416f43495b4e05cdfb8040",
  ],
  [
    "hello world, executable",
    [file("", "Hello World!", true)],
    160,
    "3b63b97bae149b3e6650437b9077c3d75b130192145792ec94ea3af96a8c567a",
  ],
  [
    "complicated",
    directory(
      "",
      file(".keep", ""),
      symlink("aa", "/nix/store/somewhereelse"),
      directory("keep", file(".keep", "")),
    ),
    840,
    "ebd52279a8df024c9fd5718de4103bf5e760dc7f2cf49044ee7dea87ab16911a",
  ],
  [
    "with keep",
    directory("", file(".keep", "")),
    280,
    "4374173a8cbe88de152b609f96f46e958bcf65762017474eec5a05ec2bd61530",
  ],
  ["empty directory", directory(""), 96, "a50a5ab6d992f5598edd92105059fae9acfc192981e08bd88534c2167e92526a"],
  ["empty file", [file("", "")], 112, "77ac62e2629d8e45f624589c0c8bf99e24b3a722349bf1e79bc186008534e246"],
  [
    "empty executable",
    [file("", "", true)],
    144,
    "34e00b8592a6ad465851a46a67464e076102fd5106ca6cb33a2f15009d30d590",
  ],
  ["one byte", [file("", "\u0001")], 120, "730850a811259dbf3a68dc2ee87a79aa6cae9f71375edf396f9d7a91fbe9134d"],
];
