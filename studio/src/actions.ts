// Buttons that both the current videos and the history have.
import type { App } from "./app.ts";
import { MAX_COMPARED } from "./app.ts";
import { h, saveBlob } from "./dom.ts";
import { describe } from "./problem.ts";
import { idOf, type OutputName, type Video } from "./types.ts";

/** A button that is off while `work` runs, and says what went wrong. */
export function button(app: App, text: string, work: () => Promise<unknown> | unknown, quiet = true): HTMLButtonElement {
  const made = h("button", { type: "button", class: quiet ? "quiet" : "" }, text);
  made.addEventListener("click", async () => {
    made.disabled = true;
    try {
      await work();
    } catch (error) {
      app.say(describe(error), true);
    } finally {
      made.disabled = false;
    }
  });
  return made;
}

export function downloadButton(app: App, video: Video, output: OutputName, text: string): HTMLButtonElement {
  const save = async () => {
    const blob = await app.api.output(idOf(video), output);
    saveBlob(blob, `${idOf(video)}${output === "base" ? "-base" : ""}.mp4`);
  };
  return button(app, text, save, output === "base");
}

/** A box that picks a finished video for comparing. */
export function compareBox(app: App, video: Video): HTMLElement {
  const box = h("input", { type: "checkbox" });
  const label = h("label", { class: "pick" }, box, "Compare");
  const show = () => {
    box.checked = app.picked.has(video.name);
    box.disabled = !box.checked && app.picked.full;
    label.title = box.disabled ? `${MAX_COMPARED} can be compared at once` : "";
  };
  box.addEventListener("change", () => app.picked.toggle(video, box.checked));
  app.picked.onChange(show);
  show();
  return label;
}
