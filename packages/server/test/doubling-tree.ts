import { Directory, type DirectoryNode, type DirectoryService, PathComponent } from "@tvix/castore";

/** Stores a tree of few directories, each twice in the one above it: as a tree of files it has 2 to the depth of them. */
export async function storeDoubling(
  { directoryService }: { readonly directoryService: DirectoryService },
  depth: number,
): Promise<DirectoryNode> {
  let directory = Directory.of([]);
  const directories = [directory];
  const nodeOf = (one: Directory): DirectoryNode => ({
    type: "directory",
    digest: one.digest(),
    size: one.size("doubled"),
  });
  for (let level = 0; level < depth; level++) {
    const node = nodeOf(directory);
    directory = Directory.of(["a", "b"].map((name) => ({ name: PathComponent.from(name), node })));
    directories.push(directory);
  }
  await directoryService.putMany(directories);
  return nodeOf(directory);
}
