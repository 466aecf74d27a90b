import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DataSample, FaultKind, FaultySubject } from "@tvix/castore/backend";
import type {
  DataSampleSchema,
  Fault as FaultMessage,
  FaultSchema,
  VerificationDone,
  VerificationDoneSchema,
  VerifyRequest,
} from "@tvix/protocol/maintenance";
import { StoreError } from "@tvix/store";
import type { StoreFault } from "@tvix/store/verify";
import type { VerificationRequest, VerificationResult } from "./maintenance.ts";

export function formatFault({
  subject,
  name,
  kind,
  text,
  of = "",
}: StoreFault): MessageInitShape<typeof FaultSchema> {
  return { subject, name, kind, text, of };
}

/** A later version may know of more subjects and kinds: they are passed on as they are. */
export function parseFault({ subject, name, kind, text, of }: FaultMessage): StoreFault {
  const fault = { subject: subject as FaultySubject, name, kind: kind as FaultKind, text };
  return of === "" ? fault : { ...fault, of };
}

export function formatVerified(result: VerificationResult): MessageInitShape<typeof VerificationDoneSchema> {
  const { faults, chunks, blobs, directories, paths, bytesRead } = result;
  return {
    faults: BigInt(faults),
    chunks: BigInt(chunks),
    blobs: BigInt(blobs),
    directories: BigInt(directories),
    paths: BigInt(paths),
    bytesRead: BigInt(bytesRead),
  };
}

export function parseVerified(message: VerificationDone): VerificationResult {
  return {
    faults: Number(message.faults),
    chunks: Number(message.chunks),
    blobs: Number(message.blobs),
    directories: Number(message.directories),
    paths: Number(message.paths),
    bytesRead: Number(message.bytesRead),
  };
}

export function formatSample(sample: DataSample): MessageInitShape<typeof DataSampleSchema> | undefined {
  if (sample === "none") return undefined;
  if (sample === "all") return { sample: { case: "all", value: true } };
  if ("part" in sample) {
    return { sample: { case: "part", value: { number: sample.part, of: sample.of } } };
  }
  return { sample: { case: "percent", value: sample.percent } };
}

/** @throws StoreError INVALID_NAME for a sample that is none */
export function parseVerification({
  data,
  bytesPerSecond,
}: Pick<VerifyRequest, "data" | "bytesPerSecond">): VerificationRequest {
  return {
    data: parseSample(data),
    bytesPerSecond: bytesPerSecond === 0n ? undefined : Number(bytesPerSecond),
  };
}

function parseSample(data: VerifyRequest["data"]): DataSample {
  const sample = data?.sample;
  if (sample?.case === "all") return sample.value ? "all" : "none";
  if (sample?.case === "part") {
    const { number: part, of } = sample.value;
    if (part < 1 || part > of) throw new StoreError("INVALID_NAME", `data.part: ${part} of ${of} is no part`);
    return { part, of };
  }
  if (sample?.case === "percent") {
    const percent = sample.value;
    if (!(percent > 0 && percent <= 100)) {
      throw new StoreError("INVALID_NAME", `data.percent: ${percent} is not above 0 and up to 100`);
    }
    return { percent };
  }
  return "none";
}
