"use strict";

/** An element with text and children. */
function make(tag, text, ...children) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  element.append(...children);
  return element;
}

function parameters(list) {
  const table = make("table");
  for (const parameter of list) {
    table.append(make("tr", "",
      make("td", parameter.name + (parameter.required ? " *" : "")),
      make("td", parameter.in),
      make("td", JSON.stringify(parameter.schema))));
  }
  return table;
}

function bodies(title, content) {
  const parts = [];
  for (const [type, media] of Object.entries(content ?? {})) {
    parts.push(make("p", `${title}: ${type}`), make("pre", JSON.stringify(media.schema, null, 1)));
  }
  return parts;
}

function operation(method, path, described) {
  const head = make("summary", "", make("b", method.toUpperCase()), make("code", path));
  const answers = Object.entries(described.responses)
    .flatMap(([code, answer]) => bodies(`${code}`, answer.content));
  return make("details", "", head,
    make("p", described.description ?? described.summary ?? ""),
    parameters(described.parameters ?? []),
    ...bodies("body", described.requestBody?.content),
    ...answers);
}

async function show() {
  const api = await (await fetch("/openapi.json")).json();
  document.getElementById("about").textContent = api.info.description;
  const operations = document.getElementById("operations");
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, described] of Object.entries(methods)) {
      operations.append(operation(method, path, described));
    }
  }
  const schemas = document.getElementById("schemas");
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    schemas.append(make("details", "", make("summary", name),
      make("pre", JSON.stringify(schema, null, 1))));
  }
}

show();
