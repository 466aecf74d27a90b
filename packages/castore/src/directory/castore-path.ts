import { escapeBytes, toBytes } from "@tvix/byte-stream";
import { CastoreError } from "../errors/castore-error.ts";
import { PathComponent } from "./path-component.ts";

const SLASH = 0x2f;

/**
 * A place inside a tree: path components from the root down, none for the root itself.
 * Always relative, and without ".", ".." and empty components.
 */
export class CastorePath {
  /** From the root down. */
  readonly components: readonly PathComponent[];

  private constructor(components: readonly PathComponent[]) {
    this.components = components;
  }

  /** The root of a tree. */
  static readonly ROOT: CastorePath = new CastorePath([]);

  static of(components: Iterable<PathComponent>): CastorePath {
    return new CastorePath([...components]);
  }

  /**
   * Reads components joined by slashes, strictly; the empty path is the root.
   *
   * @throws CastoreError INVALID_PATH when it is absolute, or a component is not valid
   */
  static parse(path: Uint8Array | string): CastorePath {
    const bytes = toBytes(path);
    if (bytes.length === 0) return CastorePath.ROOT;
    return new CastorePath(
      splitAtSlashes(bytes).map((name) => {
        try {
          return PathComponent.from(name);
        } catch (cause) {
          throw invalidPath(bytes, "has an invalid component", cause);
        }
      }),
    );
  }

  /**
   * Reads a path as a host writes it: repeated slashes, "." and a slash at the end mean
   * nothing.
   *
   * @param options.resolveParents whether ".." takes back a component; otherwise it is refused
   * @throws CastoreError INVALID_PATH when it is absolute, leaves the root, or a component is
   *   not valid
   */
  static fromHostPath(path: Uint8Array | string, options: { resolveParents?: boolean } = {}): CastorePath {
    const bytes = toBytes(path);
    if (bytes[0] === SLASH) throw invalidPath(bytes, "is absolute");
    const components: PathComponent[] = [];
    for (const name of splitAtSlashes(bytes)) {
      const text = name.length <= 2 ? new TextDecoder().decode(name) : "";
      if (name.length === 0 || text === ".") continue;
      if (text !== "..") {
        components.push(...CastorePath.parse(name).components);
      } else if (options.resolveParents !== true) {
        throw invalidPath(bytes, 'contains ".."');
      } else if (components.pop() === undefined) {
        throw invalidPath(bytes, 'goes too far up with ".."');
      }
    }
    return new CastorePath(components);
  }

  /** The directory it lies in, undefined for the root. */
  get parent(): CastorePath | undefined {
    if (this.components.length === 0) return undefined;
    return new CastorePath(this.components.slice(0, -1));
  }

  /** Its last component, undefined for the root. */
  get name(): PathComponent | undefined {
    return this.components.at(-1);
  }

  /** The place of this name inside it. */
  join(name: PathComponent): CastorePath {
    return new CastorePath([...this.components, name]);
  }

  /** Components joined by slashes. */
  toBytes(): Uint8Array {
    const parts = this.components.flatMap(({ bytes }) => [SLASH, ...bytes]);
    return Uint8Array.from(parts.slice(1));
  }

  /** As text; bytes that are not UTF-8 become U+FFFD, so it is for people only. */
  toString(): string {
    return new TextDecoder().decode(this.toBytes());
  }
}

function splitAtSlashes(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(SLASH); end !== -1; end = bytes.indexOf(SLASH, start)) {
    parts.push(bytes.subarray(start, end));
    start = end + 1;
  }
  parts.push(bytes.subarray(start));
  return parts;
}

function invalidPath(path: Uint8Array, fault: string, cause?: unknown): CastoreError {
  const text = escapeBytes(path);
  return new CastoreError("INVALID_PATH", `path ${text} ${fault}`, { cause, subject: text });
}
