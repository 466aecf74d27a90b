/** Methods that give something to work with at once, whose own methods are watched as well. */
const GIVES_MORE = new Set(["assemble"]);

/** Methods whose result is a stream: they cannot fail before it is read. */
const STREAMS = new Set(["getRecursive"]);

/** A service whose calls are counted, and fail while there is a failure. */
export class Watched<T extends object> {
  readonly service: T;
  /** How often each method was called. */
  readonly calls: Record<string, number> = {};
  /** What every call fails with; undefined: they do not. */
  failure: Error | undefined;

  constructor(inner: T) {
    this.service = this.#watch(inner);
  }

  #watch<S extends object>(inner: S): S {
    return new Proxy(inner, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        const method = String(name);
        return (...parameters: unknown[]) => {
          this.calls[method] = (this.calls[method] ?? 0) + 1;
          if (GIVES_MORE.has(method)) return this.#watch(Reflect.apply(value, target, parameters));
          if (this.failure !== undefined && !STREAMS.has(method)) return Promise.reject(this.failure);
          return Reflect.apply(value, target, parameters);
        };
      },
    });
  }
}
