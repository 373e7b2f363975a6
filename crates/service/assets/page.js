// The page: images in, answers out. Every image is a request of its own, so that an answer appears as soon as it
// is there; the service makes batches of them.
"use strict";

const AT_ONCE = 4;
const TRIES = 6;
const MOST_CHIPS = 12;

const element = (id) => document.getElementById(id);
const make = (tag, className, text) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

let model = null;
// In order: { file, row, body, wanted } - `wanted` counts what was asked; an older answer is dropped.
let images = [];
let asked = 0;
let running = 0;
let waiting = [];

// The service ---------------------------------------------------------------------------------------------------

function token() {
  try {
    return sessionStorage.getItem("promptsrc-token") || "";
  } catch {
    return "";
  }
}

function headers(more) {
  const known = token();
  return known ? { ...more, Authorization: `Bearer ${known}` } : more;
}

// The answer as JSON; otherwise an error with the service's reason.
async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw Object.assign(new Error("The service does not answer."), { status: 0 });
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  const reason = answer && answer.error ? answer.error.message : `The service answers ${response.status}.`;
  throw Object.assign(new Error(reason), { status: response.status });
}

async function start() {
  try {
    model = await ask("/v1/model", { headers: headers({}) });
  } catch (error) {
    element("model").textContent = error.message;
    if (error.status === 401) return askForToken(token() !== "");
    await pause(1500);
    return start();
  }
  element("token-form").hidden = true;
  const { method, clip, precision } = model.model;
  element("model").textContent = `${method} on ${clip}, ${precision} · ${model.names.length} classes`;
  if (!element("names").value.trim()) element("names").value = model.names.join("\n");
  element("names-hint").textContent = model.other_names
    ? "One on each line. Answers follow as you type."
    : "This model answers among the classes of its training, in any selection.";
  element("top-k").value = model.top_k;
  element("calibrated").hidden = !calibrated();
  if (calibrated()) element("coverage").value = Math.round(100 * model.calibration.coverage);
  askAgain();
}

function askForToken(wrong) {
  element("token-form").hidden = false;
  if (wrong) element("token-hint").textContent = "The service does not take this token. It stays in this tab.";
  element("token").focus();
}

// What is asked -------------------------------------------------------------------------------------------------

function names() {
  const lines = element("names").value.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "");
}

function isOwn(list) {
  return model && list.length === model.names.length && list.every((name, i) => name === model.names[i]);
}

function calibrated() {
  return Boolean(model && model.calibration && model.calibration.own_names);
}

function form(file) {
  const form = new FormData();
  form.append("image", file, file.name || "pasted image");
  const list = names();
  if (!isOwn(list)) form.append("names", JSON.stringify(list));
  form.append("top_k", String(Math.max(1, Number.parseInt(element("top-k").value, 10) || 5)));
  if (calibrated() && isOwn(list)) {
    if (element("sets").checked) form.append("coverage", String(Number(element("coverage").value) / 100));
    if (model.calibration.unknown && element("unknown").checked) form.append("unknown", "true");
  }
  return form;
}

function showState() {
  const list = names();
  const lines = element("names").value.split("\n").length;
  element("names").rows = Math.min(Math.max(lines, 4), 14);
  element("count").textContent = list.length === 1 ? "1 name" : `${list.length} names`;
  element("reset").disabled = !model || isOwn(list);
  element("answers-head").hidden = images.length === 0;
  element("empty").hidden = images.length > 0;
  for (const id of ["sets", "coverage", "unknown"]) element(id).disabled = !isOwn(list);
  element("unknown-row").hidden = Boolean(model && model.calibration && !model.calibration.unknown);
  element("coverage-shown").textContent = element("coverage").value;
}

// Images --------------------------------------------------------------------------------------------------------

function add(files) {
  for (const file of files) {
    const row = make("li", "card waiting");
    const figure = make("figure");
    const picture = make("img");
    picture.alt = "";
    // What the browser cannot show may be an image all the same, such as TIFF.
    picture.addEventListener("error", () => figure.classList.add("none"));
    picture.src = URL.createObjectURL(file);
    figure.append(picture);
    const name = make("p", "name", file.name || "pasted image");
    name.title = name.textContent;
    const body = make("div", "answer");
    body.append(make("p", "quiet", "…"));
    const remove = make("button", "plain remove", "×");
    remove.type = "button";
    remove.setAttribute("aria-label", `Remove ${name.textContent}`);
    row.append(figure, name, remove, body);
    const image = { file, row, body, picture, wanted: 0 };
    remove.addEventListener("click", () => drop(image));
    element("list").prepend(row);
    images.unshift(image);
    want(image);
  }
  showState();
}

function drop(image) {
  URL.revokeObjectURL(image.picture.src);
  image.wanted = -1;
  image.row.remove();
  images = images.filter((other) => other !== image);
  showState();
}

function want(image) {
  image.wanted = ++asked;
  image.row.classList.add("waiting");
  if (!waiting.includes(image)) waiting.push(image);
  pump();
}

function askAgain() {
  showState();
  for (const image of images) want(image);
}

function pump() {
  while (model && running < AT_ONCE && waiting.length > 0) {
    const image = waiting.shift();
    if (image.wanted < 0) continue;
    running += 1;
    answer(image).finally(() => {
      running -= 1;
      pump();
    });
  }
}

async function answer(image) {
  const wanted = image.wanted;
  const isOld = () => image.wanted !== wanted;
  for (let tried = 1; !isOld(); tried += 1) {
    try {
      const found = await ask("/v1/predict", { method: "POST", headers: headers({}), body: form(image.file) });
      if (isOld()) return;
      problem("");
      show(image, found.predictions[0]);
      element("notes").textContent = (found.notes || []).join(" ");
      element("notes").hidden = !found.notes;
    } catch (error) {
      if (isOld()) return;
      // Too many at once: a little later there is room.
      if ((error.status === 429 || error.status === 503) && tried < TRIES) {
        await pause(400 * tried);
        continue;
      }
      if (error.status === 401) askForToken(true);
      if (/^names:/.test(error.message)) {
        // It is about the names, not about the image.
        problem(error.message.replace(/^names: /, ""));
      } else {
        image.body.replaceChildren(make("p", "problem", error.message));
        image.row.classList.remove("waiting");
      }
    }
    return;
  }
}

function problem(text) {
  element("names-problem").textContent = text;
  element("names-problem").hidden = text === "";
}

// Answers -------------------------------------------------------------------------------------------------------

function percent(probability) {
  const value = 100 * probability;
  return value > 0 && value < 0.05 ? "< 0.1 %" : `${value.toFixed(1)} %`;
}

function show(image, found) {
  const bars = make("ol", "bars");
  for (const { name, probability } of found.top) {
    const row = make("li");
    const bar = make("progress", "bar");
    bar.max = 1;
    bar.value = probability;
    bar.setAttribute("aria-hidden", "true");
    row.append(make("span", "class", name), make("span", "value", percent(probability)), bar);
    bars.append(row);
  }
  const parts = [bars];
  if (found.unknown) {
    const line = make("p", "set");
    const text = found.unknown.unknown ? "Shows none of the classes" : "Shows one of the classes";
    line.append(make("span", found.unknown.unknown ? "chip bad" : "chip", text));
    parts.unshift(line);
  }
  if (found.set) {
    const line = make("p", "set");
    line.append(make("span", "quiet", found.set.length === 0 ? "The set is empty" : "Set:"));
    for (const { name } of found.set.slice(0, MOST_CHIPS)) line.append(make("span", "chip", name));
    const more = found.set.length - MOST_CHIPS;
    if (more > 0) line.append(make("span", "quiet", `and ${more} more`));
    parts.push(line);
  }
  image.body.replaceChildren(...parts);
  image.row.classList.remove("waiting");
  image.row.dataset.answered = found.top.length > 0 ? found.top[0].name : "";
}

// What a person does --------------------------------------------------------------------------------------------

const isImage = (file) => file.type === "" || file.type.startsWith("image/");

element("choose").addEventListener("click", () => element("files").click());
element("files").addEventListener("change", (event) => {
  add([...event.target.files]);
  event.target.value = "";
});
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    element("drop").classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) element("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  element("drop").classList.remove("over");
  add([...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files].filter(isImage);
  if (files.length > 0) {
    event.preventDefault();
    add(files);
  }
});

let typing = 0;
element("names").addEventListener("input", () => {
  showState();
  clearTimeout(typing);
  typing = setTimeout(() => {
    const few = names().length < 2;
    problem(few ? "Give at least two names: one alone would get 100 % for every image." : "");
    if (!few) askAgain();
  }, 400);
});
element("reset").addEventListener("click", () => {
  element("names").value = model.names.join("\n");
  problem("");
  askAgain();
});
for (const id of ["top-k", "sets", "unknown"]) element(id).addEventListener("change", askAgain);
element("coverage").addEventListener("input", showState);
element("coverage").addEventListener("change", () => {
  element("sets").checked = true;
  askAgain();
});
element("clear").addEventListener("click", () => {
  for (const image of [...images]) drop(image);
});
element("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  try {
    sessionStorage.setItem("promptsrc-token", element("token").value.trim());
  } catch {
    // Without storage it has to be given again in each tab that is opened.
  }
  element("token").value = "";
  start();
});

showState();
start();
