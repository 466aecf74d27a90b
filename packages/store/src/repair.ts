export type { RepairAction, RepairSource, RepairStep, StoreRepairParts } from "./repair/repair.ts";
export { repairStore } from "./repair/repair-store.ts";
