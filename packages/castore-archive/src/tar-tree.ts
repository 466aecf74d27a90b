import {
  CastoreError,
  type Directory,
  type Node,
  type PathComponent,
  type SizeConvention,
  TreeBuilder,
  type TreeEntry,
} from "@tvix/castore";

/** A file or link, which may still be on its way into the store. */
export interface Leaf {
  node: Exclude<Node, { type: "directory" }> | undefined;
}

/** A directory that is being filled: what is in it by name, one character for each byte. */
type OpenDirectory = Map<string, Leaf | OpenDirectory>;

/** What an archive has put where, so far. */
export class TarTree {
  readonly #root: OpenDirectory = new Map();

  /** A directory; what is in it already stays. The root where there are no names. */
  addDirectory(names: readonly PathComponent[]): void {
    this.#enter(names);
  }

  /** A file or link, in place of what was there. */
  add(names: readonly PathComponent[], leaf: Leaf): void {
    const name = names.at(-1);
    if (name === undefined) throw new CastoreError("INVALID_PATH", `the root of the archive is no directory`);
    this.#enter(names.slice(0, -1)).set(keyOf(name), leaf);
  }

  /** The file or link at a path; undefined where there is none. */
  get(names: readonly PathComponent[]): Leaf | undefined {
    let current: OpenDirectory | Leaf | undefined = this.#root;
    for (const name of names) {
      if (!(current instanceof Map)) return undefined;
      current = current.get(keyOf(name));
    }
    return current instanceof Map ? undefined : current;
  }

  /** Its directories, children first, and the root when all of them have been taken; every leaf has its node by now. */
  finish(convention: SizeConvention): {
    readonly directories: Iterable<Directory>;
    readonly root: () => Node;
  } {
    const builder = new TreeBuilder(convention);
    const root = this.#root;
    function* directories(): Generator<Directory, void, undefined> {
      for (const entry of entriesOf(root)) {
        const directory = builder.add(entry);
        if (directory !== undefined) yield directory;
      }
    }
    return { directories: directories(), root: () => builder.root as Node };
  }

  #enter(names: readonly PathComponent[]): OpenDirectory {
    let current = this.#root;
    for (const name of names) {
      const key = keyOf(name);
      const known = current.get(key);
      const next: OpenDirectory = known instanceof Map ? known : new Map();
      if (next !== known) current.set(key, next);
      current = next;
    }
    return current;
  }
}

/** Everything, children before their directory; without recursion. */
function* entriesOf(root: OpenDirectory): Generator<TreeEntry, void, undefined> {
  const open = [{ name: new Uint8Array(0), entries: root.entries() }];
  for (let innermost = open.at(-1); innermost !== undefined; innermost = open.at(-1)) {
    const next = innermost.entries.next();
    if (next.done === true) {
      open.pop();
      yield { name: innermost.name, depth: open.length, node: "directory" };
      continue;
    }
    const [key, item] = next.value;
    const name = Uint8Array.from(key, (character) => character.charCodeAt(0));
    if (item instanceof Map) open.push({ name, entries: item.entries() });
    else yield { name, depth: open.length, node: item.node as Exclude<Leaf["node"], undefined> };
  }
}

function keyOf({ bytes }: PathComponent): string {
  return String.fromCharCode(...bytes);
}
