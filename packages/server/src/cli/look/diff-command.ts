import {
  type BlobService,
  bytesToJson,
  diffTrees,
  type FileNode,
  type Node,
  nodeToJson,
  type TreeDifference,
  walkTree,
} from "@tvix/castore";
import type { Command } from "commander";
import type { Services } from "../../services.ts";
import { findObject, OBJECT, type ObjectName, parseObject } from "../object.ts";
import { print } from "../output.ts";
import { withElapsedTime } from "../progress.ts";
import { quoteName } from "../quote-name.ts";
import { addServiceOptions, type ServiceOptions, withServices } from "../services.ts";

/** `tvix-store diff`: where two objects differ. */
export function addDiffCommand(program: Command): void {
  const command = program
    .command("diff")
    .description("tell which files of two objects differ, and by how many bytes; exit status 1 when some do")
    .argument("<a>", OBJECT, parseObject)
    .argument("<b>", OBJECT, parseObject)
    .option("--json", "print an object for each difference on a line of its own")
    .addHelpText("after", LEGEND);
  addServiceOptions(command).action(
    async (a: ObjectName, b: ObjectName, options: ServiceOptions & { json?: boolean }) => {
      const differences = await withElapsedTime("diff", () =>
        withServices(options, async (services) => {
          const [before, after] = [await findObject(services, a), await findObject(services, b)];
          let count = 0;
          let bytes = 0;
          for await (const difference of diffTrees(before, after, services.directoryService)) {
            count++;
            const isNew = await newBytes(difference, services);
            bytes += isNew;
            await print(options.json === true ? lineOfJson(difference, isNew) : lineOf(difference, isNew));
          }
          if (count > 0 && options.json !== true) {
            process.stderr.write(`${count} differences, ${bytes} bytes are in the second only\n`);
          }
          return count;
        }),
      );
      if (differences > 0) process.exitCode = 1;
    },
  );
}

const LEGEND = `
Each line: + only in the second, - only in the first, ~ in both, but other; then the bytes that only the
second has, counted in chunks of a file; then the path.
`;

function lineOf({ path, before, after }: TreeDifference, isNew: number): string {
  const sign = before === undefined ? "+" : after === undefined ? "-" : "~";
  const name = path.components.length === 0 ? "." : quoteName(path.toBytes());
  return `${sign} ${String(isNew).padStart(12)} ${name}${describe(before, after)}\n`;
}

function describe(before: Node | undefined, after: Node | undefined): string {
  const node = after ?? before;
  if (before === undefined || after === undefined) return node?.type === "directory" ? "/" : "";
  if (before.type !== after.type) return ` (${before.type} -> ${after.type})`;
  if (before.type === "symlink" || after.type === "symlink") return " (link)";
  if (before.type === "file" && after.type === "file" && before.executable !== after.executable) {
    return after.executable ? " (now executable)" : " (no longer executable)";
  }
  return "";
}

function lineOfJson({ path, before, after }: TreeDifference, isNew: number): string {
  const [a, b] = [before, after].map((node) => (node === undefined ? null : nodeToJson(node)));
  return `${JSON.stringify({ ...bytesToJson("path", path.toBytes()), before: a, after: b, newBytes: isNew })}\n`;
}

/** Bytes of the second that the first has not at this place. */
async function newBytes(
  { before, after }: TreeDifference,
  { blobService, directoryService }: Services,
): Promise<number> {
  if (after?.type === "file") {
    return before?.type === "file" ? await unshared(before, after, blobService) : Number(after.size);
  }
  if (after?.type !== "directory") return 0;
  let bytes = 0;
  for await (const { node } of walkTree(after, directoryService))
    if (node.type === "file") bytes += Number(node.size);
  return bytes;
}

/** Bytes of the chunks of a file that another one has not. */
async function unshared(before: FileNode, after: FileNode, blobs: BlobService): Promise<number> {
  if (before.digest.equals(after.digest)) return 0;
  const [old, now] = await Promise.all([blobs.chunks(before.digest), blobs.chunks(after.digest)]);
  if (now === undefined || now.length === 0) return Number(after.size);
  const known = new Set(old?.map(({ digest }) => digest.key));
  return now.reduce((sum, { digest, size }) => sum + (known.has(digest.key) ? 0 : size), 0);
}
