import { RecordDirectoryService } from "../records/directory-service.ts";
import { MemoryRecordStore } from "../records/memory-record-store.ts";

/** Directories in memory: for tests, browsers and short-lived trees. */
export class MemoryDirectoryService extends RecordDirectoryService {
  constructor() {
    super(new MemoryRecordStore());
  }
}
