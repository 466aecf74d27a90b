import type { Health } from "@tvix/grpc-reflection";
import type { FastifyInstance } from "fastify";
import type { Metrics } from "../metrics/metrics.ts";
import type { UpstreamStates } from "../metrics/upstream-states.ts";
import type { StorageWatch } from "../storage-watch.ts";

/** What is told about a server. */
export interface ServerState {
  readonly health: Health;
  readonly storage: StorageWatch;
  readonly upstreams: UpstreamStates;
  /** What is told at `/metrics`, where there is anything. */
  readonly metrics: Metrics | undefined;
}

/**
 * `/healthz`, whether the server is alive; `/readyz`, whether it can do its work, and what it lacks; `/metrics`.
 *
 * @param isEnding whether it takes no new requests
 */
export function addStateRoutes(
  app: FastifyInstance,
  { health, storage, upstreams, metrics }: ServerState,
  isEnding: () => boolean,
): void {
  app.get("/healthz", async (_request, reply) => {
    const failure = isEnding() ? undefined : await storage.look();
    const serving = health.get("") === "SERVING";
    const text = failure?.message ?? (serving ? "ok" : "shutting down");
    return reply
      .code(serving ? 200 : 503)
      .type("text/plain; charset=utf-8")
      .send(`${text}\n`);
  });
  app.get("/readyz", async (_request, reply) => {
    const failure = isEnding() ? undefined : await storage.look();
    const isReady = !isEnding() && failure === undefined;
    const lines = [
      isEnding() ? "server: shutting down" : "server: ok",
      `storage: ${failure?.message ?? "ok"}`,
      ...upstreams.resting.map(
        ({ upstream, until }) => `upstream ${upstream}: fails, and is asked again at ${until.toISOString()}`,
      ),
    ];
    return reply
      .code(isReady ? 200 : 503)
      .header("cache-control", "no-store")
      .type("text/plain; charset=utf-8")
      .send(`${lines.join("\n")}\n`);
  });
  if (metrics === undefined) return;
  app.get("/metrics", async (_request, reply) =>
    reply
      .type(metrics.contentType)
      .header("cache-control", "no-store")
      .send(await metrics.text()),
  );
}
