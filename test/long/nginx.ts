import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** Why there is no nginx here; undefined where there is. */
export const noNginx: string | undefined =
  spawnSync("nginx", ["-v"]).status === 0 ? undefined : "nginx is not installed";

/** nginx in front of a server of gRPC, with its own settings for all but sizes of bodies. */
export async function startNginx(directory: string, serverUrl: string): Promise<string> {
  const port = await freePort();
  const place = join(directory, "nginx");
  await mkdir(place);
  const configuration = join(place, "nginx.conf");
  await writeFile(
    configuration,
    `daemon off; pid ${place}/pid; error_log ${place}/error.log; worker_processes 1;
     events {}
     http {
       access_log off; client_max_body_size 0;
       client_body_temp_path ${place}/body; proxy_temp_path ${place}/proxy; fastcgi_temp_path ${place}/f;
       uwsgi_temp_path ${place}/u; scgi_temp_path ${place}/s;
       server {
         listen 127.0.0.1:${port} http2;
         location / { grpc_pass grpc://${new URL(serverUrl).host}; }
       }
     }`,
  );
  const nginx = spawn("nginx", ["-c", configuration, "-p", place], { stdio: "ignore" });
  onTestFinished(() => void nginx.kill("SIGKILL"));
  const url = `http://127.0.0.1:${port}`;
  // It answers HTTP/1.1 with an error, but it answers.
  for (let tries = 0; ; tries++) {
    const socket = (await import("node:net")).connect(port, "127.0.0.1");
    const isThere = await Promise.race([once(socket, "connect"), once(socket, "error")]).then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isThere) return url;
    if (tries === 100) throw new Error("nginx does not listen");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}
