/** Runs `run`; resolves to what surfaces first as an uncaught exception, and would end the process. */
export async function uncaught(run: () => unknown): Promise<unknown> {
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  try {
    const surfaced = new Promise((resolve) => process.once("uncaughtException", resolve));
    await run();
    return await surfaced;
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  }
}
