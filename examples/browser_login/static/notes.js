"use strict";

const list = document.getElementById("notes");
const none = document.getElementById("none");
const told = document.getElementById("told");
const problem = document.getElementById("problem");
const form = document.getElementById("add");
const text = document.getElementById("text");

/** Asks the API. Where the answer is a refusal, says so in the page, and returns nothing. */
async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options); // the cookie goes along by itself, and no password box opens
  } catch {
    return show("The server can’t be reached. Please try again.");
  }
  if (answer.status === 401) {
    const link = document.createElement("a");
    link.href = problem.dataset.login;
    link.textContent = "Log in again";
    link.addEventListener("click", () => sessionStorage.setItem("draft", text.value)); // there again after the login
    return show("Your session is over, and this was not done. ", link);
  }
  const body = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (!answer.ok) return show(body.message ?? `The server answered ${answer.status}.`);
  problem.replaceChildren();
  return body;
}

function show(...parts) {
  const line = document.createElement("p");
  line.className = "error";
  line.append(...parts);
  problem.replaceChildren(line);
}

function put(note, where) {
  const id = `note-${note.id}`;
  if (document.getElementById(id)) return; // added while the list was on its way
  const item = document.createElement("li");
  item.id = id;
  const words = document.createElement("span");
  words.textContent = note.text;
  const button = document.createElement("button");
  button.className = "quiet";
  button.textContent = "Delete";
  button.setAttribute("aria-label", `Delete: ${note.text}`);
  button.addEventListener("click", async () => {
    if (!(await ask(`/api/notes/${note.id}`, { method: "DELETE" }))) return;
    const next = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    none.hidden = list.children.length > 0;
    told.textContent = "The note is deleted.";
    (next?.querySelector("button") ?? text).focus();
  });
  item.append(words, button);
  where(item);
  none.hidden = true;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const note = await ask("/api/notes", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text: text.value }),
  });
  if (!note) return;
  put(note, (item) => list.prepend(item));
  told.textContent = "The note is added.";
  text.value = "";
});

text.value = sessionStorage.getItem("draft") ?? "";
sessionStorage.removeItem("draft");
ask(`/api/notes${location.search}`).then((found) => {
  if (!found) return;
  none.hidden = found.notes.length > 0;
  for (const note of found.notes) put(note, (item) => list.append(item));
});
