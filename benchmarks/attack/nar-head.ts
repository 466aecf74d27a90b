/** What a NAR of one file of so many bytes begins with, up to its first byte: an upload of that is read on. */
export function narHead(length: number): Buffer {
  const tokens = ["nix-archive-1", "(", "type", "regular", "contents"].map((token) => {
    const padded = Buffer.alloc(8 + Math.ceil(token.length / 8) * 8);
    padded.writeUInt32LE(token.length);
    padded.write(token, 8);
    return padded;
  });
  const size = Buffer.alloc(8);
  size.writeUInt32LE(length);
  return Buffer.concat([...tokens, size]);
}
