// What floats: menus beside their button, which close by themselves when
// something else is pressed, and dialogs, which hold the focus while they are
// open. On phones both rise from below; the style sheet places them there.

const APART = 6; // px between a menu and its button
const EDGE = 8; // px that a menu keeps from the edge of the page

/** mountMenus places menus ([data-menu] with popover) below the button that opened them. */
export function mountMenus(root: ParentNode): void {
  for (const menu of root.querySelectorAll<HTMLElement>("[data-menu]")) {
    let opener: HTMLElement | null = null;
    for (const button of root.querySelectorAll<HTMLElement>(`[data-opens="${menu.id}"]`)) {
      button.setAttribute("aria-expanded", "false");
      button.addEventListener("click", () => {
        opener = button;
      });
    }
    menu.addEventListener("toggle", (e) => {
      const open = (e as ToggleEvent).newState === "open";
      for (const button of root.querySelectorAll(`[data-opens="${menu.id}"]`)) button.setAttribute("aria-expanded", String(open && button === opener));
      if (!open) return;
      if (opener) place(menu, opener);
      const first = menu.querySelector<HTMLElement>("[aria-pressed=true], [aria-current=true], input:checked") ?? items(menu)[0];
      first?.focus();
    });
    menu.addEventListener("keydown", (e) => {
      const by = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
      if (!by || (e.target instanceof HTMLInputElement && e.target.type === "radio")) return;
      const all = items(menu);
      const at = all.indexOf(document.activeElement as HTMLElement);
      all[(at + by + all.length) % all.length]?.focus();
      e.preventDefault();
    });
    window.addEventListener("resize", () => {
      if (menu.matches(":popover-open")) menu.hidePopover();
    });
  }
}

function items(menu: HTMLElement): HTMLElement[] {
  return [...menu.querySelectorAll<HTMLElement>("button, a[href], input")].filter((e) => e.checkVisibility());
}

function place(menu: HTMLElement, beside: HTMLElement): void {
  const at = beside.getBoundingClientRect();
  const left = Math.min(at.left, window.innerWidth - menu.offsetWidth - EDGE);
  menu.style.setProperty("--menu-x", `${Math.round(Math.max(left, EDGE))}px`);
  menu.style.setProperty("--menu-y", `${Math.round(at.bottom + APART)}px`);
}

/** openDialog shows a dialog over the page. The browser keeps the focus in it and gives it back. */
export function openDialog(dialog: HTMLDialogElement): void {
  if (dialog.open) return;
  for (const menu of document.querySelectorAll<HTMLElement>("[popover]:popover-open")) menu.hidePopover();
  dialog.showModal();
}

/** mountDialogs closes dialogs by their button and by a press beside them. */
export function mountDialogs(root: ParentNode): void {
  for (const dialog of root.querySelectorAll<HTMLDialogElement>("dialog")) {
    for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close());
    dialog.addEventListener("pointerdown", (e) => {
      if (e.target !== dialog) return;
      const box = dialog.getBoundingClientRect();
      if (e.clientX < box.left || e.clientX > box.right || e.clientY < box.top || e.clientY > box.bottom) dialog.close();
    });
  }
}
