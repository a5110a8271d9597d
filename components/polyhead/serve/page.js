"use strict";
// Sends the form's row to /answers and shows what each head says. Every text goes through textContent.

const form = document.getElementById("row");
const problems = document.getElementById("problems");
const fields = [...form.querySelectorAll(".field")];
const files = new Map();
const numbers = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 });

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function complain(lines) {
  problems.replaceChildren(...lines.map((line) => element("p", line, "problem")));
}

function showPictures(field, given) {
  const name = field.dataset.name;
  const file = given[0];
  const image = field.querySelector("img");
  if (image.src) URL.revokeObjectURL(image.src);
  image.hidden = !file;
  field.querySelector(".clear").hidden = !file;
  if (file) {
    files.set(name, given);
    image.src = URL.createObjectURL(file);
    image.alt = given.map((one) => one.name).join(", ");
  } else {
    files.delete(name);
    image.removeAttribute("src");
    field.querySelector("input").value = "";
  }
}

const holdsPictures = (field) => field.dataset.control.startsWith("picture");

for (const field of fields.filter(holdsPictures)) {
  const drop = field.querySelector(".drop");
  const input = field.querySelector("input");
  field.querySelector("img").addEventListener("error", (event) => { event.target.hidden = true; });
  input.addEventListener("change", () => showPictures(field, [...input.files]));
  field.querySelector(".clear").addEventListener("click", () => showPictures(field, []));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const given = [...event.dataTransfer.files];
    if (given.length) showPictures(field, input.multiple ? given : given.slice(0, 1));
  });
}

form.addEventListener("reset", () => {
  for (const field of fields.filter(holdsPictures)) showPictures(field, []);
});

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error(`${file.name} cannot be read`));
    reader.readAsDataURL(file);
  });
}

async function valueOf(field) {
  const { name, control } = field.dataset;
  if (holdsPictures(field)) {
    if (!files.has(name)) return null;
    const contents = await Promise.all(files.get(name).map(async (file) => ({ b64: await base64(file) })));
    return control === "pictures" ? contents : contents[0];
  }
  const input = field.querySelector("input, select, textarea");
  if (input.validity.badInput) throw new Error(`${name}: this is not a value of its kind`);
  const text = input.value;
  if (text === "" || (control !== "text" && control !== "line" && control !== "choice" && text.trim() === "")) return null;
  if (control === "number") return Number(text);
  if (control === "moment") return Date.parse(`${text}Z`) / 1000;
  if (control === "numbers") return text.trim().split(/[\s,;]+/).map((part) => (part === "" || Number.isNaN(Number(part)) ? part : Number(part)));
  return text;
}

function said(value) {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return value.length ? value.map(said).join(", ") : "none";
  return typeof value === "number" ? numbers.format(value) : String(value);
}

function show(head, answer) {
  const parts = [element("p", said(answer.predicted), "predicted")];
  const level = head.dataset.level ? `${numbers.format(Number(head.dataset.level) * 100)} % ` : "";
  const chances = [];
  for (const [key, value] of Object.entries(answer)) {
    if (key.startsWith("probability.")) chances.push([key.slice("probability.".length), value]);
    else if (key === "set") parts.push(element("p", `${level}set: ${said(value)}`, "interval"));
    else if (key === "low") parts.push(element("p", `${level}interval: ${said(value)} to ${said(answer.high)}`, "interval"));
    else if (key !== "high" && key !== "predicted") parts.push(element("p", `${key}: ${said(value)}`, "interval"));
  }
  if (chances.length) {
    const table = element("table", undefined, "chances");
    const caption = element("caption", "Probabilities");
    caption.hidden = true;
    table.append(caption);
    const chosen = new Set([answer.predicted].flat());
    for (const [name, chance] of chances.sort((one, other) => other[1] - one[1]).slice(0, 20)) {
      const row = element("tr", undefined, chosen.has(name) ? "chosen" : "");
      const heading = element("th", name);
      heading.scope = "row";
      const bar = element("td");
      const track = element("div", undefined, "bar");
      const length = element("div");
      length.style.width = `${chance * 100}%`;
      track.append(length);
      bar.append(track);
      row.append(heading, bar, element("td", `${(chance * 100).toFixed(1)} %`));
      table.append(row);
    }
    parts.push(table);
    if (chances.length > 20) parts.push(element("p", `and ${chances.length - 20} more`, "interval"));
  }
  head.querySelector(".said").replaceChildren(...parts);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    const row = {};
    for (const field of fields) row[field.dataset.name] = await valueOf(field);
    const body = JSON.stringify({ instances: [row] });
    if (body.length > Number(form.dataset.maxBytes)) throw new Error("The pictures are larger than this server takes");
    const response = await fetch("answers", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const answer = await response.json();
    if (!response.ok) {
      complain(answer.problems.map((one) => [one.where, one.what, one.hint && `(${one.hint})`].filter(Boolean).join(" ")));
      return;
    }
    const { heads, failed } = answer.answers[0];
    complain(failed.map((name) => `${name} cannot be decoded: it was left out. Send JPEG, PNG, GIF or 24-bit BMP.`));
    for (const head of document.querySelectorAll(".head")) show(head, heads[head.dataset.name]);
    const title = document.getElementById("answers-title");
    if (title.getBoundingClientRect().top > window.innerHeight) title.scrollIntoView();
  } catch (error) {
    complain([error instanceof TypeError ? "The server does not answer" : error.message]);
  } finally {
    button.disabled = false;
  }
});
