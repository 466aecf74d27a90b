import { Counter, Gauge, type Histogram, type Registry } from "prom-client";

/** Bounds of the buckets of times, in seconds. */
const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600];

/** What is known of one kind of requests. */
export interface RequestCount {
  /** How many have not ended. */
  open: number;
  readonly codes: Map<string, number>;
  /** How many took up to each bound and longer than the one before; the last: longer than all. */
  readonly buckets: number[];
  seconds: number;
  received: number;
  sent: number;
}

/**
 * Counts requests. The library is asked only when somebody scrapes: its counters look up their labels with
 * every request, which took a fifth of the time of a narinfo.
 */
export class RequestCounts {
  readonly #counts: Map<string, RequestCount> = new Map();

  /** Notes that one has begun. */
  begin(request: string): RequestCount {
    let count = this.#counts.get(request);
    if (count === undefined) {
      const buckets = Array.from({ length: SECONDS.length + 1 }, () => 0);
      count = { open: 0, codes: new Map(), buckets, seconds: 0, received: 0, sent: 0 };
      this.#counts.set(request, count);
    }
    count.open++;
    return count;
  }

  /** Tells of them. */
  register(registry: Registry): void {
    const counts = this.#counts;
    const registers = [registry];
    new Counter({
      name: "tvix_requests_total",
      help: "Requests that have ended, by what they were and the code they ended with.",
      labelNames: ["request", "code"],
      registers,
      collect() {
        this.reset();
        for (const [request, { codes }] of counts) {
          for (const [code, count] of codes) this.inc({ request, code }, count);
        }
      },
    });
    registry.registerMetric(durationsOf(counts));
    new Gauge({
      name: "tvix_requests_in_progress",
      help: "Requests that have not ended.",
      labelNames: ["request"],
      registers,
      collect() {
        for (const [request, { open }] of counts) this.set({ request }, open);
      },
    });
    const bytes = (name: string, help: string, bytesOf: (count: RequestCount) => number) =>
      new Counter({
        name,
        help,
        labelNames: ["request"],
        registers,
        collect() {
          this.reset();
          for (const [request, count] of counts) this.inc({ request }, bytesOf(count));
        },
      });
    bytes(
      "tvix_request_received_bytes_total",
      "Bytes of requests that have ended, as they came.",
      ({ received }) => received,
    );
    bytes(
      "tvix_request_sent_bytes_total",
      "Bytes of answers that have ended, as they went out.",
      ({ sent }) => sent,
    );
  }
}

/** Notes that a request has ended. */
export function noteEnd(
  count: RequestCount,
  code: string,
  seconds: number,
  bytes: { readonly received: number; readonly sent: number },
): void {
  count.open--;
  count.codes.set(code, (count.codes.get(code) ?? 0) + 1);
  let bucket = 0;
  while (bucket < SECONDS.length && seconds > (SECONDS[bucket] as number)) bucket++;
  count.buckets[bucket] = (count.buckets[bucket] as number) + 1;
  count.seconds += seconds;
  count.received += bytes.received;
  count.sent += bytes.sent;
}

/** A histogram of what was counted: a registry asks it for nothing but this. */
function durationsOf(counts: ReadonlyMap<string, RequestCount>): Histogram {
  const name = "tvix_request_duration_seconds";
  const help = "Time from the head of a request to the end of its answer.";
  const values = () => [...counts].flatMap(([request, count]) => valuesOf(name, request, count));
  const get = async () => ({ name, help, type: "histogram", aggregator: "sum", values: values() });
  return { name, get } as unknown as Histogram;
}

function valuesOf(name: string, request: string, { buckets, seconds }: RequestCount) {
  let sum = 0;
  const values = buckets.map((own, index) => {
    sum += own;
    return { labels: { le: SECONDS[index] ?? "+Inf", request }, value: sum, metricName: `${name}_bucket` };
  });
  return [
    ...values,
    { labels: { request }, value: seconds, metricName: `${name}_sum` },
    { labels: { request }, value: sum, metricName: `${name}_count` },
  ];
}
