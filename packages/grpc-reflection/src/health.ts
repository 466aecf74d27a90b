/** Whether a service takes calls. */
export type ServingStatus = "SERVING" | "NOT_SERVING";

/** The state of a server and of its services, which others may watch. */
export class Health {
  readonly #statuses: Map<string, ServingStatus> = new Map();
  readonly #watchers: Set<() => void> = new Set();
  #hasEnded = false;

  /** @param services full names; they and the server as a whole, "", start as SERVING */
  constructor(services: Iterable<string>) {
    for (const service of ["", ...services]) this.#statuses.set(service, "SERVING");
  }

  /** The state of a service, undefined when it is not known. */
  get(service: string): ServingStatus | undefined {
    return this.#statuses.get(service);
  }

  /** Sets the state of one service. */
  set(service: string, status: ServingStatus): void {
    this.#statuses.set(service, status);
    this.#notify();
  }

  /** Sets the state of every service, say when the server shuts down. */
  setAll(status: ServingStatus): void {
    for (const service of this.#statuses.keys()) this.#statuses.set(service, status);
    this.#notify();
  }

  /** Says NOT_SERVING of every service, and ends the watches: the server shuts down. */
  end(): void {
    this.#hasEnded = true;
    this.setAll("NOT_SERVING");
  }

  /** The state of a service now and after each change, until the signal is aborted or {@link end} called. */
  async *watch(service: string, signal: AbortSignal): AsyncIterable<ServingStatus | undefined> {
    let changed = Promise.withResolvers<void>();
    const wake = () => changed.resolve();
    this.#watchers.add(wake);
    signal.addEventListener("abort", wake);
    try {
      let last: { readonly status: ServingStatus | undefined } | undefined;
      while (!signal.aborted) {
        const status = this.get(service);
        if (last === undefined || last.status !== status) {
          last = { status };
          yield status;
          continue;
        }
        if (this.#hasEnded) return;
        await changed.promise;
        changed = Promise.withResolvers<void>();
      }
    } finally {
      this.#watchers.delete(wake);
      signal.removeEventListener("abort", wake);
    }
  }

  #notify(): void {
    for (const wake of this.#watchers) wake();
  }
}
