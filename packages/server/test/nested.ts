import { Directory, type Node, PathComponent } from "@tvix/castore";

/** Directories in directories, so many levels with the innermost one, which is empty. */
export function nested(levels: number): readonly Directory[] {
  const directories = [Directory.of([])];
  while (directories.length < levels) {
    const child = directories.at(-1) as Directory;
    const node: Node = { type: "directory", digest: child.digest(), size: child.size() };
    directories.push(Directory.of([{ name: PathComponent.from("d"), node }]));
  }
  return directories;
}
