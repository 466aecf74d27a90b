import { bytesToJson, nodeToJson, utf8, walkTree } from "@tvix/castore";
import type { Command } from "commander";
import { OBJECT, type ObjectName, parseObject } from "../object.ts";
import { print } from "../output.ts";
import { quoteName } from "../quote-name.ts";
import { addServiceOptions, type ServiceOptions, withServices } from "../services.ts";
import { objectsOf } from "./object-roots.ts";

/** `tvix-store find`: in which store paths there is a file of some name. */
export function addFindCommand(program: Command): void {
  const command = program
    .command("find")
    .description("find files by name in store paths, in all of them unless some are named")
    .argument(
      "<pattern>",
      "name, or path inside the object where there is a slash in it; * and ? stand for others",
    )
    .argument("[object...]", OBJECT, (text: string, before: readonly ObjectName[] = []) => [
      ...before,
      parseObject(text),
    ])
    .option("--json", "print an object for each on a line of its own");
  addServiceOptions(command).action(
    async (
      pattern: string,
      objects: readonly ObjectName[] | undefined,
      options: ServiceOptions & { json?: boolean },
    ) => {
      const matches = matcherOf(pattern);
      await withServices(options, async (services) => {
        for await (const { name, node: root } of objectsOf(services, objects ?? [])) {
          for await (const { path, node } of walkTree(root, services.directoryService)) {
            const bytes = path.toBytes();
            if (
              path.components.length === 0 ||
              !matches(utf8(bytes) ?? Buffer.from(bytes).toString("latin1"))
            )
              continue;
            if (options.json === true) {
              await print(
                `${JSON.stringify({ object: name, ...bytesToJson("path", bytes), ...nodeToJson(node) })}\n`,
              );
            } else {
              await print(`${name}/${quoteName(bytes)}\n`);
            }
          }
        }
      });
    },
  );
}

/** Whether a path is what a pattern asks for. One that is no UTF-8 has a character for each byte. */
function matcherOf(pattern: string): (path: string) => boolean {
  const isPath = pattern.includes("/");
  const text = pattern.replace(/^\.?\/+/, "");
  const source = text
    .replaceAll(/[\\^$+.()|[\]{}]/g, "\\$&")
    .replaceAll("*", "[^/]*")
    .replaceAll("?", "[^/]");
  const expression = new RegExp(`^${source}$`, "su");
  return (path) => expression.test(isPath ? path : path.slice(path.lastIndexOf("/") + 1));
}
