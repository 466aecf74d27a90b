import type { Logger } from "pino";
import type { Tracing } from "../tracing/tracing.ts";

/** Variables of the environment any of which asks for OpenTelemetry. */
const ASKING = [
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
  "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
  "OTEL_TRACES_EXPORTER",
  "OTEL_METRICS_EXPORTER",
];

/** What tells a collector of requests, where the environment asks for it: the SDK is large. */
export async function openTracing(log: Logger): Promise<Tracing | undefined> {
  const { env } = process;
  const isDisabled = env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true";
  if (isDisabled || ASKING.every((name) => (env[name] ?? "") === "")) return undefined;
  // As the specification has it where one is asked for; the SDK sends no metrics unless told so.
  env["OTEL_METRICS_EXPORTER"] ??= "otlp";
  const { Tracing } = await import("../tracing/tracing.ts");
  return new Tracing(log);
}
