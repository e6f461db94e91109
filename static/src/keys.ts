// Single keys, off while somebody types.

export function onKey(key: string, act: () => void): void {
  document.addEventListener("keydown", (e) => {
    if (e.key.toLowerCase() !== key || e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
    const at = e.target;
    if (at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName))) return;
    e.preventDefault();
    act();
  });
}
