import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ProcessWithId } from "./processes.ts";

/** nginx in one process with a folder of files, undefined where it is not installed. */
export async function startNginx(base: string, files: string): Promise<ProcessWithId | undefined> {
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const configuration = join(base, `nginx-${port}.conf`);
  await writeFile(
    configuration,
    `daemon off; master_process off; pid ${base}/nginx-${port}.pid; error_log stderr;
events { worker_connections 1024; }
http { access_log off; sendfile on; keepalive_requests 1000000;
  server { listen 127.0.0.1:${port}; root ${files}; } }
`,
  );
  const child = spawn("nginx", ["-c", configuration, "-p", base], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
  for (let attempt = 0; attempt < 50; attempt++) {
    if (child.pid === undefined || child.exitCode !== null) {
      console.log("nginx is not installed, so its figures are missing: apt-get install nginx-light");
      return undefined;
    }
    const answers = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (answers) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { port, pid: child.pid as number, stop };
}
