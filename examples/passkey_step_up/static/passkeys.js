"use strict";

const problem = document.getElementById("problem");
let busy = false;

/** Sends JSON to the app and returns its answer. What the app refuses is thrown as a text for people. */
async function send(address, body = {}) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  // 401: the session is over, or its login is too old for this.
  if (answer.status === 401) throw new Refusal("Please log in again first. ", problem.dataset.login);
  throw new Refusal(told.message ?? `The server answered ${answer.status}.`);
}

class Refusal extends Error {
  constructor(message, login) {
    super(message);
    this.login = login;
  }
}

/** Asks the browser for a passkey: a new one, or a proof with one that the user has. */
function ceremony(kind, options) {
  return kind === "create"
    ? navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
    : navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
}

function explain(error) {
  if (error instanceof Refusal) return error.message;
  switch (error.name) {
    case "NotAllowedError": // cancelled, too slow, or the person wasn't verified: browsers don't say which
    case "AbortError":
      return "Nothing was confirmed: the dialog was closed, it took too long, or this device has no passkey of yours.";
    case "InvalidStateError":
      return "This device has a passkey for you already.";
    case "SecurityError":
      return "Passkeys don’t work at this address. Please open the app at its own address.";
    default:
      return "This did not work. Please try again.";
  }
}

function show(error) {
  const line = document.createElement("p");
  line.className = "error";
  line.textContent = explain(error);
  if (error.login) {
    const link = document.createElement("a");
    link.href = error.login;
    link.textContent = "Log in";
    line.append(link);
  }
  problem.replaceChildren(line);
}

for (const form of document.querySelectorAll("form[data-ceremony]")) {
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return; // a second click would take the challenge of the first
    busy = true;
    button.setAttribute("aria-disabled", "true"); // and the focus stays
    problem.replaceChildren();
    try {
      if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
        throw new Refusal("This browser is too old for passkeys, or the address isn’t secure (HTTPS).");
      }
      const options = await send(form.dataset.options);
      const credential = await ceremony(form.dataset.ceremony, options);
      const fields = Object.fromEntries(new FormData(form));
      const { next } = await send(form.action, { ...fields, credential: credential.toJSON() });
      location.assign(next);
    } catch (error) {
      show(error);
    } finally {
      busy = false;
      button.removeAttribute("aria-disabled");
    }
  });
}
