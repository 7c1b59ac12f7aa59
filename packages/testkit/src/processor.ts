/**
 * Returns the processor time that work took in this process, milliseconds, its threads among it. What work costs
 * shows in it, and not how busy the machine is with something else.
 */
export async function processorMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
