import { useEffect, useState } from "preact/hooks";

/** What is being loaded, has been, or could not be. */
export type Loaded<T> =
  | { readonly state: "loading" }
  | { readonly state: "failed"; readonly error: Error }
  | { readonly state: "done"; readonly value: T };

/** Loads something anew whenever the key changes; an answer that comes too late is dropped. */
export function useLoaded<T>(key: string, load: () => Promise<T>): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T> & { readonly key: string }>({ state: "loading", key });
  useEffect(() => {
    let isCurrent = true;
    const set = (value: Loaded<T>) => isCurrent && setLoaded({ ...value, key });
    set({ state: "loading" });
    load().then(
      (value) => set({ state: "done", value }),
      (error: Error) => set({ state: "failed", error }),
    );
    return () => {
      isCurrent = false;
    };
  }, [key]);
  return loaded.key === key ? loaded : { state: "loading" };
}
