import type { DescMessage } from "@bufbuild/protobuf";

/** Counts what a message consists of as its pieces come: whoever parses it makes something for each. */
export interface FieldCounter {
  /** Fields so far, those of messages within it included. */
  readonly fields: number;
  see(piece: Uint8Array): void;
}

/** Which fields of a message are messages themselves, by their numbers. */
interface Shape {
  readonly nested: ReadonlyMap<number, DescMessage>;
}

const NO_SHAPE: Shape = { nested: new Map() };

/** A message that is being counted, and where it ends. */
interface Open {
  readonly shape: Shape;
  readonly end: number;
}

/** What the next byte belongs to. */
type Phase = "tag" | "length" | "number" | "nothing";

/** Most bits of a varint. */
const VARINT_BITS = 64;

/**
 * Counts the fields of a message in the binary encoding of protobuf. Where it is malformed it stops: nobody parses on from
 * there either.
 */
export class BinaryFieldCounter implements FieldCounter {
  #fields = 0;
  #phase: Phase = "tag";
  #value = 0;
  #bits = 0;
  #skip = 0;
  #at = 0;
  #next: DescMessage | undefined;
  readonly #open: Open[];

  /** @param schema of the message; without one, messages within it count as one field each */
  constructor(schema: DescMessage | undefined) {
    this.#open = [{ shape: shapeOf(schema), end: Number.POSITIVE_INFINITY }];
  }

  get fields(): number {
    return this.#fields;
  }

  see(piece: Uint8Array): void {
    for (let index = 0; index < piece.length && this.#phase !== "nothing"; ) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, piece.length - index);
        this.#skip -= skipped;
        this.#at += skipped;
        index += skipped;
        if (this.#skip === 0) this.#close();
      } else {
        this.#at++;
        this.#byte(piece[index++] as number);
      }
    }
  }

  #byte(byte: number): void {
    if (this.#bits < VARINT_BITS) this.#value += (byte & 0x7f) * 2 ** this.#bits;
    this.#bits += 7;
    if (byte >= 0x80) {
      if (this.#bits > VARINT_BITS) this.#phase = "nothing";
      return;
    }
    const value = this.#value;
    this.#value = 0;
    this.#bits = 0;
    if (this.#phase === "tag") this.#tag(value);
    else if (this.#phase === "length") this.#enter(value);
    else {
      this.#phase = "tag";
      this.#close();
    }
  }

  #tag(tag: number): void {
    this.#fields++;
    const [number, type] = [Math.floor(tag / 8), tag % 8];
    // There is no field 0.
    if (number === 0) this.#phase = "nothing";
    else if (type === 0) this.#phase = "number";
    else if (type === 1) this.#skip = 8;
    else if (type === 5) this.#skip = 4;
    else if (type === 2) {
      this.#phase = "length";
      this.#next = this.#open.at(-1)?.shape.nested.get(number);
    } else if (type > 4) this.#phase = "nothing";
    // The beginning or end of a group, which has no length.
    else this.#close();
  }

  #enter(length: number): void {
    this.#phase = "tag";
    const end = this.#at + length;
    if (end > (this.#open.at(-1) as Open).end) this.#phase = "nothing";
    else if (this.#next !== undefined) this.#open.push({ shape: shapeOf(this.#next), end });
    else this.#skip = length;
    if (length === 0) this.#close();
  }

  /** Leaves the messages that end here. */
  #close(): void {
    while ((this.#open.at(-1) as Open).end <= this.#at) this.#open.pop();
  }
}

/** Counts what separates things in JSON, also within texts: there may be fewer of them, never more. */
export class JsonFieldCounter implements FieldCounter {
  #fields = 0;

  get fields(): number {
    return this.#fields;
  }

  see(piece: Uint8Array): void {
    for (const byte of piece) if (byte === 0x2c || byte === 0x5b || byte === 0x7b) this.#fields++;
  }
}

const SHAPES = new WeakMap<DescMessage, Shape>();

function shapeOf(schema: DescMessage | undefined): Shape {
  if (schema === undefined) return NO_SHAPE;
  let shape = SHAPES.get(schema);
  if (shape === undefined) {
    const nested = new Map<number, DescMessage>();
    for (const { number, message } of schema.fields) if (message !== undefined) nested.set(number, message);
    shape = { nested };
    SHAPES.set(schema, shape);
  }
  return shape;
}
