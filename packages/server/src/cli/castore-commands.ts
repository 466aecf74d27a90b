import {
  type B3Digest,
  CastorePath,
  DEFAULT_SIZE_CONVENTION,
  type FileNode,
  type Node,
  nodeToJson,
  type SizeConvention,
} from "@tvix/castore";
import { ingest, restore, type TreeProgress, type TreeServices } from "@tvix/castore-fs";
import { Argument, type Command, Option } from "commander";
import { ARCHIVE_FORMATS, type ArchiveFormat, writeArchive } from "./archive.ts";
import { findNode, findRoot } from "./find-node.ts";
import { interruptible } from "./interrupt.ts";
import { listTree } from "./list-tree.ts";
import { DIGEST, type NodeName, nameOfNode, parseNodeName } from "./node-name.ts";
import { print } from "./output.ts";
import { parsed } from "./parse.ts";
import { withProgress } from "./progress.ts";
import { readFileInPieces } from "./read-file.ts";
import { UsageError } from "./repeatable.ts";
import { addServiceOptions, type ServiceOptions, withServices, withWritableServices } from "./services.ts";
import { refuseStoreAt } from "./within.ts";

interface JsonOption extends ServiceOptions {
  readonly json?: boolean;
}

/** `tvix-store castore …`: puts trees into a store and gets them out. */
export function addCastoreCommands(program: Command): void {
  const castore = program
    .command("castore")
    .description("put files and directories into a store, and get them out");
  addIngest(castore);
  addRestore(castore);
  addLs(castore);
  addCat(castore);
}

function addIngest(castore: Command): void {
  const command = castore
    .command("ingest")
    .description("store a path with everything below it, and print the digest of its root")
    .argument("<path>", "a file or directory, or - for a file from stdin")
    .addOption(
      new Option("--format <format>", "take what is in a tar archive, not the file").choices(["tar"]),
    )
    .option("--json", "print the root node as JSON")
    .addOption(
      new Option(
        "--directory-size <convention>",
        "how directory sizes count: doubled, as tvix and snix do, or as documented, which they refuse",
      )
        .choices(["documented", "doubled"])
        .default(DEFAULT_SIZE_CONVENTION),
    );
  addServiceOptions(command).action(async (path: string, options: IngestOptions) => {
    await withWritableServices(options, async (services) => {
      const node = await withProgress("ingested", (onProgress) =>
        ingestPath(path, services, options, onProgress),
      );
      if (options.json === true) await print(`${JSON.stringify(nodeToJson(node))}\n`);
      else await print(`${await nameOfNode(services, node)}\n`);
    });
  });
}

interface IngestOptions extends JsonOption {
  readonly directorySize: SizeConvention;
  readonly format?: "tar";
}

async function ingestPath(
  path: string,
  services: TreeServices,
  { directorySize: sizeConvention, format }: IngestOptions,
  onProgress: ((progress: TreeProgress) => void) | undefined,
): Promise<Node> {
  const options = { sizeConvention, ...(onProgress === undefined ? {} : { onProgress }) };
  if (format === "tar") {
    const { ingestTar } = await import("@tvix/castore-archive");
    return await ingestTar(path === "-" ? process.stdin : readFileInPieces(path), services, options);
  }
  return path === "-" ? await ingestStdin(services) : await ingest(path, services, options);
}

function addRestore(castore: Command): void {
  const command = castore
    .command("restore")
    .description("write a tree or file to a path where nothing is")
    .argument("<digest>", `of a directory or blob: ${DIGEST}`, (text) => parsed(text, parseNodeName))
    .argument("<destination>", "path to write to; its parent must exist")
    .addOption(
      new Option("--format <format>", "write one archive of it, to a file or - for stdout").choices(
        ARCHIVE_FORMATS,
      ),
    )
    .option("--overwrite", "replace what stands at the destination, as a whole")
    .option("--executable", "make the file executable, when the digest is that of a blob")
    .option("--json", "print the restored root node as JSON");
  addServiceOptions(command).action(
    async (
      digest: NodeName,
      destination: string,
      options: JsonOption &
        ServiceOptions & { overwrite?: boolean; executable?: boolean; format?: ArchiveFormat },
    ) => {
      if (options.json === true && options.format !== undefined && destination === "-") {
        throw new UsageError("stdout is for the archive: option '--json' cannot be used with '-'");
      }
      if (destination !== "-") await refuseStoreAt(destination, options.data);
      const node = await withServices(options, async (services) => {
        const root = await findRoot(services, digest, { executable: options.executable === true });
        await withProgress("restored", (onProgress) =>
          interruptible(async (signal) => {
            const { format, overwrite = false } = options;
            if (format !== undefined) {
              await writeArchive(root, destination, services, { signal, overwrite, format });
              return;
            }
            const progress = onProgress === undefined ? {} : { onProgress };
            await restore(root, destination, services, { signal, overwrite, ...progress });
          }),
        );
        return root;
      });
      if (options.json === true) await print(`${JSON.stringify(nodeToJson(node))}\n`);
    },
  );
}

function addLs(castore: Command): void {
  const command = castore
    .command("ls")
    .description("list a directory")
    .argument("<digest>", `of a directory: ${DIGEST}`, (text) => parseDigest(text, "directory"))
    .addArgument(pathArgument("a path inside it"))
    .option("-R, --recursive", "list everything below as well")
    .addOption(new Option("--json", "print an array of objects").conflicts("null"))
    .option("-z, --null", "names as they are, and a NUL at the end of each line");
  addServiceOptions(command).action(
    async (
      digest: B3Digest,
      path: CastorePath,
      options: JsonOption & { recursive?: boolean; null?: boolean },
    ) => {
      await withServices(options, async (services) => {
        const node = await findNode(services, digest, path);
        await listTree(services.directoryService, node, path, {
          recursive: options.recursive === true,
          format: options.json === true ? "json" : options.null === true ? "raw" : "quoted",
        });
      });
    },
  );
}

function addCat(castore: Command): void {
  const command = castore
    .command("cat")
    .description("write the contents of a blob, or of a file in a directory, to stdout")
    .argument("<digest>", `of a blob or directory: ${DIGEST}`, (text) => parsed(text, parseNodeName))
    .addArgument(pathArgument("a path inside the directory"));
  addServiceOptions(command).action(async (name: NodeName, path: CastorePath, options: ServiceOptions) => {
    const { digest } = name;
    checkType(name, path.components.length === 0 ? "file" : "directory");
    await withServices(options, async (services) => {
      const blob = path.components.length === 0 ? digest : await findFile(services, digest, path);
      const contents = await services.blobService.read(blob);
      if (contents === undefined) throw await noSuchBlob(services, blob);
      for await (const piece of contents) await print(piece);
    });
  });
}

/** Why there is nothing to write: what has this digest may be a directory. */
async function noSuchBlob({ directoryService }: TreeServices, digest: B3Digest): Promise<Error> {
  const isDirectory = (await directoryService.get(digest)) !== undefined;
  return new Error(
    isDirectory ? `${digest} is a directory, not a file` : `blob ${digest} is not in the store`,
  );
}

async function findFile(
  services: Parameters<typeof findNode>[0],
  digest: B3Digest,
  path: CastorePath,
): Promise<B3Digest> {
  const node = await findNode(services, digest, path);
  if (node.type !== "file") throw new Error(`${path} is a ${node.type}, not a file`);
  return node.digest;
}

async function ingestStdin({ blobService }: TreeServices): Promise<FileNode> {
  let size = 0;
  async function* counted() {
    for await (const piece of process.stdin) {
      size += piece.length;
      yield piece;
    }
  }
  const digest = await blobService.put(counted());
  return { type: "file", digest, size: BigInt(size), executable: false };
}

function parseDigest(text: string, wanted: "directory" | "file"): B3Digest {
  return parsed(text, (given) => {
    const name = parseNodeName(given);
    checkType(name, wanted);
    return name.digest;
  });
}

/** @throws Error for what is said to be of another type */
function checkType({ digest, type }: NodeName, wanted: "directory" | "file"): void {
  if (type !== undefined && type !== wanted) throw new Error(`${type}:${digest} is no ${wanted}`);
}

function pathArgument(description: string): Argument {
  return new Argument("[path]", description)
    .argParser((text) => parsed(text, CastorePath.fromHostPath))
    .default(CastorePath.ROOT, "the directory itself");
}
