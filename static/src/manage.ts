// Hiding and deleting a topic, on its page. What fails is said where it was
// asked for.

import { setText } from "./dom";
import { openDialog } from "./menu";
import { problemOf } from "./search";

/** mountManage brings the buttons below a topic's facts to life. say tells those who do not see. */
export function mountManage(root: ParentNode, say: (text: string) => void): void {
  for (const place of root.querySelectorAll<HTMLElement>("[data-manage]")) {
    const address = window.location.pathname;
    mountHide(place, address, say);
    mountDelete(place, address);
  }
}

function mountHide(place: HTMLElement, address: string, say: (text: string) => void): void {
  const button = place.querySelector<HTMLButtonElement>("[data-hide]");
  const problem = place.querySelector<HTMLElement>(":scope > [data-problem]");
  button?.addEventListener("click", async () => {
    const hidden = place.dataset.hidden !== "true";
    button.disabled = true;
    const wrong = await send(address, { method: "PATCH", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ hidden }) });
    button.disabled = false;
    button.focus();
    tell(problem, wrong);
    if (wrong) return;
    place.dataset.hidden = String(hidden);
    setText(button.querySelector("[data-hide-text]"), hidden ? "Show in lists" : "Hide from lists");
    say(hidden ? "Hidden from lists" : "Shown in lists");
  });
}

function mountDelete(place: HTMLElement, address: string): void {
  const dialog = place.querySelector<HTMLDialogElement>("[data-delete-dialog]");
  const confirm = dialog?.querySelector<HTMLButtonElement>("[data-confirm]");
  const problem = dialog?.querySelector<HTMLElement>("[data-problem]") ?? null;
  if (!dialog || !confirm) return;
  place.querySelector("[data-delete]")?.addEventListener("click", () => {
    tell(problem, "");
    openDialog(dialog);
  });
  confirm.addEventListener("click", async () => {
    confirm.disabled = true;
    const wrong = await send(address, { method: "DELETE" });
    confirm.disabled = false;
    tell(problem, wrong);
    if (!wrong) window.location.assign("/topics");
    else confirm.focus();
  });
}

function tell(problem: HTMLElement | null, text: string): void {
  if (!problem) return;
  problem.hidden = text === "";
  setText(problem, text);
}

/** send returns what went wrong, or "". */
async function send(address: string, request: RequestInit): Promise<string> {
  try {
    const response = await fetch(address, { ...request, headers: { ...request.headers, Accept: "application/json" } });
    return response.ok ? "" : await problemOf(response);
  } catch {
    return "The server does not answer. Nothing was changed; try again.";
  }
}
