// Asks for the API key.
import { fill, h } from "./dom.ts";
import { Problem, describe } from "./problem.ts";

/** The form; `enter` gets the key and throws what is wrong with it. */
export function signIn(enter: (key: string) => Promise<void>, problem: string, known: string): HTMLElement {
  const key = h("input", { type: "password", id: "key", value: known, autocomplete: "off", spellcheck: false, required: true });
  const error = h("p", { class: "field-error", id: "key-error", role: "alert" }, problem);
  const submit = h("button", { type: "submit", class: "primary" }, "Open Studio");
  key.setAttribute("aria-describedby", error.id);
  const form = h(
    "form",
    { class: "sign-in", noValidate: true },
    h("h1", {}, "Omnireel Studio"),
    h("label", { htmlFor: "key" }, "API key"),
    key,
    error,
    submit,
    h("p", { class: "hint" }, "The key of a stack on this machine is in ", h("code", {}, "~/.omnireel/api_key"), ". It is kept in this tab until the tab is closed."),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    fill(error);
    const text = key.value.trim();
    if (!text) {
      fill(error, "Give the key that you were given.");
      return key.focus();
    }
    submit.disabled = true;
    try {
      await enter(text);
    } catch (reason) {
      fill(error, refusal(reason));
      submit.disabled = false;
      key.focus();
    }
  });
  queueMicrotask(() => key.focus());
  return h("main", { class: "sign-in-page" }, form);
}

/** Why a key does not open the page. */
export function refusal(error: unknown): string {
  const unknown = error instanceof Problem && error.code === 401;
  return unknown ? "This key is not valid (any more). Check it, or ask for a new one." : describe(error);
}
