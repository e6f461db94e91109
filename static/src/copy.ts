// Copy buttons: each copies the line beside it and says so by its mark.

const SHOWN = 1500; // ms

/** mountCopy shows the buttons and brings them to life. say tells those who do not see. */
export function mountCopy(root: ParentNode, say: (text: string) => void): void {
  if (!navigator.clipboard) return; // only on https and localhost; the line can be picked by hand
  for (const button of root.querySelectorAll<HTMLElement>("[data-copy]")) {
    const line = button.parentElement?.querySelector("code");
    const use = button.querySelector("use");
    if (!line || !use) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(line.textContent ?? "");
      } catch {
        window.getSelection()?.selectAllChildren(line);
        return;
      }
      use.setAttribute("href", "#i-done");
      button.title = "Copied";
      say("Copied");
      window.setTimeout(() => {
        use.setAttribute("href", "#i-copy");
        button.title = "Copy";
      }, SHOWN);
    });
  }
}
