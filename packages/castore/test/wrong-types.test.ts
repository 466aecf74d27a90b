import { B3Digest, CastorePath, Directory, PathComponent, SymlinkTarget } from "@tvix/castore";
import { expect, test } from "vitest";

const name = PathComponent.from("a");
const digest = B3Digest.of(new Uint8Array(1));
const target = SymlinkTarget.from("there");
const file = { type: "file", digest, size: 1n, executable: false };

test.each([
  ["name", { name: "a", node: file }, TypeError],
  ["name", { node: file }, TypeError],
  ["name", undefined, TypeError],
  ["type", { name, node: { ...file, type: "other" } }, TypeError],
  ["type", { name }, TypeError],
  ["digest", { name, node: { ...file, digest: digest.toHex() } }, TypeError],
  ["digest", { name, node: { ...file, digest: digest.bytes } }, TypeError],
  ["digest", { name, node: { type: "directory", size: 1n } }, TypeError],
  ["digest", { name, node: { ...file, digest: { bytes: new Uint8Array(31) } } }, TypeError],
  ["size", { name, node: { ...file, size: 1 } }, TypeError],
  ["size", { name, node: { ...file, size: -1n } }, RangeError],
  ["size", { name, node: { ...file, size: 1n << 64n } }, RangeError],
  ["executable", { name, node: { ...file, executable: "no" } }, TypeError],
  ["executable", { name, node: { type: "file", digest, size: 1n } }, TypeError],
  ["target", { name, node: { type: "symlink", target: "there" } }, TypeError],
])("a directory has no entry with a wrong %s", (field, entry, type) => {
  const good = { name: PathComponent.from("b"), node: { type: "symlink", target } };
  expect(() => Directory.of([good, entry] as never)).toThrow(type);
  expect(() => Directory.of([good, entry] as never)).toThrow(new RegExp(`entries\\[1\\].*${field}`));
});

test.each([1, [1], {}, null, undefined, new Uint16Array([300]), new ArrayBuffer(2), "\ud800"])(
  "%o is no name, target, path or digest",
  (wrong) => {
    expect(() => PathComponent.from(wrong as never)).toThrow(TypeError);
    expect(() => SymlinkTarget.from(wrong as never)).toThrow(TypeError);
    expect(() => CastorePath.parse(wrong as never)).toThrow(TypeError);
    expect(() => B3Digest.from(wrong as never)).toThrow(TypeError);
    expect(() => B3Digest.of(wrong as never)).toThrow(TypeError);
  },
);
