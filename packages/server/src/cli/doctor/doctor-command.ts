import { type Command, Option } from "commander";
import { believeOnly } from "../../compose/authorities.ts";
import { caFileOption } from "../ca-file-option.ts";
import { defaultDataDirectory } from "../data-directory.ts";
import { print } from "../output.ts";
import { directory } from "../parse.ts";
import { quoteName } from "../quote-name.ts";
import { storeAddressOption } from "../service-address.ts";
import { withoutPassword } from "../without-password.ts";
import { checkMachine } from "./check-machine.ts";
import { checkServer } from "./check-server.ts";
import { type Finding, note } from "./finding.ts";

interface DoctorOptions {
  readonly serviceAddr: string;
  readonly data: string;
  readonly caFile?: string;
  readonly json?: boolean;
}

const SIGNS: Readonly<Record<Finding["level"], string>> = {
  ok: "ok     ",
  note: "note   ",
  problem: "PROBLEM",
};

/** `tvix-store doctor`: looks at everything that is often wrong. */
export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description(
      "look at this machine and at the server, and say what is wrong and what to do; exit status 1 for problems",
    )
    .addOption(storeAddressOption())
    .addOption(
      new Option("--data <directory>", "data directory of a daemon on this machine")
        .env("TVIX_STORE_DATA")
        .argParser(directory)
        .default(defaultDataDirectory(), "$XDG_DATA_HOME/tvix-store"),
    )
    .addOption(caFileOption("https"))
    .option("--json", "print an array of objects")
    .action(async ({ serviceAddr, data, caFile, json }: DoctorOptions) => {
      believeOnly(caFile);
      const findings = [...checkMachine(data), ...(await serverFindings(serviceAddr))];
      if (json === true) await print(`${JSON.stringify(findings, undefined, 2)}\n`);
      else for (const finding of findings) await print(lines(finding));
      if (findings.some(({ level }) => level === "problem")) process.exitCode = 1;
    });
}

async function serverFindings(address: string): Promise<readonly Finding[]> {
  const [, url] = /^grpc\+(https?:\/\/[^/?#]+)/.exec(address) ?? [];
  if (url !== undefined) return await checkServer(url);
  return [note(`store ${withoutPassword(address)}`, "is not looked at", "only servers by HTTP are")];
}

function lines({ level, subject, text, advice }: Finding): string {
  const more = advice === undefined ? "" : `        -> ${advice}\n`;
  // What a server says may hold anything.
  return `${SIGNS[level]} ${subject}: ${quoteName(Buffer.from(text))}\n${more}`;
}
