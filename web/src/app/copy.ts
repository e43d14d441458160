// A text for the clipboard.

/** Whether the browser let it: pages that came without TLS may have no clipboard. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
