/** How a graph is walked. */
export interface PostOrder<T> {
  /** What tells one from another. */
  readonly keyOf: (item: T) => string;
  /** What comes before an item. */
  readonly childrenOf: (item: T) => Iterable<T>;
  /** Keys of what has been walked already, to which those of this walk are added. Default none. */
  readonly walked?: Set<string>;
}

/** Everything below a root, each item once and after all of its children, the root last; without recursion. */
export function* postOrder<T>(
  root: T,
  { keyOf, childrenOf, walked = new Set() }: PostOrder<T>,
): Generator<T, void, undefined> {
  /** Items whose children come first, the innermost last. */
  const open: { readonly item: T; readonly children: Iterator<T> }[] = [];
  const begin = (item: T) => {
    const key = keyOf(item);
    if (walked.has(key)) return;
    walked.add(key);
    open.push({ item, children: childrenOf(item)[Symbol.iterator]() });
  };
  begin(root);
  for (let innermost = open.at(-1); innermost !== undefined; innermost = open.at(-1)) {
    const child = innermost.children.next();
    if (child.done === true) {
      open.pop();
      yield innermost.item;
    } else {
      begin(child.value);
    }
  }
}
