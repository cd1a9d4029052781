
// The data browser. Its posts are a block of JSON in the page; nothing is fetched, and texts stay texts.
function browse(section) {
  const STEP = 48;
  const data = JSON.parse(section.querySelector("script").textContent);
  const posts = data.posts.map((values) => Object.fromEntries(data.fields.map((name, i) => [name, values[i]])));
  for (const post of posts) post.searched = `${post.text} ${post.id}`.toLowerCase();
  const form = section.querySelector("form");
  const status = section.querySelector("[role=status]");
  const list = section.querySelector(".cards");
  const more = section.querySelector(".more");
  const dialog = section.querySelector("dialog");
  let found = posts;
  let opened = 0;

  const make = (tag, cls, ...children) => {
    const element = document.createElement(tag);
    if (cls) element.className = cls;
    element.append(...children.filter((child) => child !== null && child !== ""));
    return element;
  };
  const format = (value) => value.toLocaleString("en");
  const shade = (label) => {
    const place = data.classes.indexOf(label);
    return place < 0 ? "none" : data.shades[place];
  };
  const day = (seconds) => new Date(1000 * seconds).toISOString().slice(0, 10);
  const frame = (post) => {
    if (!post.picture) return post.missing ? make("span", "frame empty", post.missing) : null;
    const image = make("img", "");
    image.src = `data:image/webp;base64,${post.picture}`;
    image.alt = post.veiled ? "" : `Image of post ${post.id}`;
    image.decoding = "async";
    const cover = post.veiled ? make("span", "cover", "18+") : null;
    return make("span", post.veiled ? "frame veiled" : "frame", image, cover);
  };
  const text = (post) => {
    const element = make("span", post.text ? "text" : "text quiet", post.text || "no text");
    element.dir = "auto";
    return element;
  };
  const tags = (post) => [
    make("span", "", make("i", `dot ${shade(post.label)}`), post.label || "no label"),
    make("span", `split ${post.place}`, data.places[post.place] || post.place),
  ];

  const card = (post, place) => {
    const open = make("button", "open", frame(post), text(post));
    open.type = "button";
    open.dataset.place = place;
    const score = post.score === null ? null : make("p", "facts", `${format(post.score)} points`);
    const reason = post.reason ? make("p", "reason", post.reason) : null;
    return make("article", "card", open, reason, make("p", "tags", ...tags(post)), score);
  };

  const grow = () => {
    const first = list.children.length;
    list.append(...found.slice(first, first + STEP).map((post, i) => card(post, first + i)));
    more.hidden = list.children.length >= found.length;
    return first;
  };

  const update = () => {
    const chosen = new FormData(form);
    const words = (chosen.get("query") || "").toLowerCase().split(/\s+/).filter(Boolean);
    const fixed = ["label", "place", "reason"].map((name) => [name, chosen.get(name)]).filter(([, value]) => value);
    found = posts.filter(
      (post) => fixed.every(([name, value]) => post[name] === value) && words.every((word) => post.searched.includes(word)),
    );
    const [field, way] = (chosen.get("order") || "").split(" ");
    if (field) {
      found.sort((a, b) => {
        if (a[field] === null || b[field] === null) return (a[field] === null) - (b[field] === null);
        return way * (a[field] - b[field]);
      });
    }
    list.replaceChildren();
    grow();
    status.textContent = `${format(found.length)} of ${format(posts.length)} posts`;
  };

  const show = (place) => {
    opened = Math.max(0, Math.min(place, found.length - 1));
    const post = found[opened];
    const facts = [
      ["class", post.label],
      ["split", data.places[post.place] || post.place],
      ["reason", [post.reason, post.detail].filter(Boolean).join(": ")],
      ["score", post.score === null ? "" : format(post.score)],
      ["date", post.created === null ? "" : day(post.created)],
      ["words", post.words === null ? "" : format(post.words)],
      ["agreement", post.agreement === null ? "" : `${post.agreement}%`],
      ["language", post.language || ""],
      ["community", post.community],
      ["credit", post.credit],
    ].filter(([, value]) => value);
    const terms = make("dl", "", ...facts.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
    let name = make("span", "", post.id);
    if (/^https?:\/\/[^\s/]/.test(post.link)) {
      name = make("a", "", post.id);
      name.href = post.link;
      name.rel = "noopener noreferrer nofollow";
      name.target = "_blank";
    }
    const shown = frame(post);
    let picture = shown;
    if (shown && post.veiled && post.picture) {
      picture = make("button", "frame veil", ...shown.childNodes);
      picture.type = "button";
      picture.setAttribute("aria-pressed", "false");
      picture.setAttribute("aria-label", `Image marked 18+, of post ${post.id}: show or blur it`);
    }
    const button = (label, act) => {
      const made = make("button", "", label);
      made.type = "button";
      made.addEventListener("click", act);
      return made;
    };
    const earlier = button("← Before", () => show(opened - 1));
    const later = button("After →", () => show(opened + 1));
    earlier.disabled = opened === 0;
    later.disabled = opened === found.length - 1;
    const bar = make("p", "bar", earlier, later, button("Close", () => dialog.close()));
    const place_ = make("p", "quiet", `${format(opened + 1)} of ${format(found.length)}`);
    dialog.replaceChildren(...[bar, picture, text(post), terms, make("p", "", name), place_].filter(Boolean));
    if (!dialog.open) dialog.showModal();
    dialog.focus(); // the arrow keys are heard inside the window only
  };

  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => {
    const first = grow();
    list.children[first].querySelector("button").focus();
  });
  list.addEventListener("click", (event) => {
    const open = event.target.closest("button.open");
    if (open) show(Number(open.dataset.place));
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(opened - 1);
    if (event.key === "ArrowRight") show(opened + 1);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    while (list.children.length <= opened) grow();
    list.children[opened]?.querySelector("button").focus();
  });
  update();
}
if (document.getElementById("browse")) browse(document.getElementById("browse"));
